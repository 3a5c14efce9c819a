//! Time and randomness of a call, fixed: the crate asks the operating system for both and has no parameter for them.
//!
//! The C library's `clock_gettime` and `syscall` (through which `getrandom` reads its seed) are defined here instead,
//! so the linker binds the crate's calls to these. Outside of [`with`] they do what the C library does.

use std::arch::asm;
use std::cell::Cell;
use std::ffi::{c_int, c_long};

#[derive(Clone, Copy)]
pub struct Fixed {
    /// Unix time in nanoseconds at the next reading, and what each reading adds.
    pub now: u64,
    pub step: u64,
    /// What the system's randomness consists of: `rand::thread_rng()` of a new thread follows from it.
    pub seed: u64,
}

thread_local! {
    static FIXED: Cell<Option<Fixed>> = const { Cell::new(None) };
}

/// Runs `work` in a thread of its own, where nothing of an earlier call is left, with this time and randomness.
pub fn with<R: Send>(fixed: Fixed, work: impl FnOnce() -> R + Send) -> R {
    let worker = move || {
        FIXED.set(Some(fixed));
        let result = work();
        FIXED.set(None);
        result
    };
    std::thread::scope(|scope| scope.spawn(worker).join().expect("the call's thread ended"))
}

fn fill(buffer: &mut [u8], seed: u64) {
    let mut state = seed;
    for chunk in buffer.chunks_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        chunk.copy_from_slice(&(state ^ (state >> 29)).to_le_bytes()[..chunk.len()]);
    }
}

unsafe fn system_call(number: c_long, arguments: [c_long; 6]) -> c_long {
    let result: c_long;
    asm!(
        "syscall",
        inlateout("rax") number => result,
        in("rdi") arguments[0], in("rsi") arguments[1], in("rdx") arguments[2],
        in("r10") arguments[3], in("r8") arguments[4], in("r9") arguments[5],
        lateout("rcx") _, lateout("r11") _,
        options(nostack)
    );
    if (-4095..0).contains(&result) {
        *libc::__errno_location() = -result as c_int;
        return -1;
    }
    result
}

/// # Safety
/// As the C library's.
#[no_mangle]
pub unsafe extern "C" fn clock_gettime(clock: c_int, result: *mut libc::timespec) -> c_int {
    match FIXED.get() {
        Some(fixed) if clock == libc::CLOCK_REALTIME => {
            FIXED.set(Some(Fixed { now: fixed.now + fixed.step, ..fixed }));
            (*result).tv_sec = (fixed.now / 1_000_000_000) as libc::time_t;
            (*result).tv_nsec = (fixed.now % 1_000_000_000) as c_long;
            0
        }
        _ => system_call(libc::SYS_clock_gettime, [c_long::from(clock), result as c_long, 0, 0, 0, 0]) as c_int,
    }
}

/// # Safety
/// As the C library's; on x86-64 its variable arguments come in the registers of fixed ones.
#[no_mangle]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    if number == libc::SYS_getrandom && b > 0 {
        if let Some(fixed) = FIXED.get() {
            fill(std::slice::from_raw_parts_mut(a as *mut u8, b as usize), fixed.seed);
            return b;
        }
    }
    system_call(number, [a, b, c, d, e, f])
}
