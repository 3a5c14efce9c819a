//! Debian's RocksDB 7.8 may stand in for the 8.10 that is built along otherwise (a quarter of an hour). It lacks one
//! function, the end of an object that the reference never makes.

const MISSING: &str = "rocksdb_write_buffer_manager_destroy";

fn main() {
    println!("cargo:rerun-if-env-changed=ROCKSDB_LIB_DIR");
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("ROCKSDB_LIB_DIR").is_some() {
        println!("cargo:rustc-link-arg-bins=-Wl,--defsym={MISSING}=0");
    }
}
