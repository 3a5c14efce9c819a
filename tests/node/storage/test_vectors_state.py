"""Hashes, rows and artifacts of whole sequences, as core 0.10.0 gave them; the numbers are those of the recording."""

from __future__ import annotations

import time
from hashlib import sha256

import msgspec
import pytest

from node.crypto import ed25519
from node.errors import StorageError
from node.primitives import EntityId, Hash, PrivateKey
from node.storage import crdt_type
from node.storage.action import Action, Add, DeleteRef, Update, payload_for_signing
from node.storage.delta import with_signature
from node.storage.entities import UNSIGNED, ChildInfo, SignatureData, User
from node.storage.env import INTEROP, REFERENCE, Rules
from node.storage.index import Index
from node.storage.keys import index_key, root_id
from node.storage.rows import MemoryRows
from tests.vectors.storage import ROOT, C, digest, eid, md, text
from tests.vectors.storage_steps import Harness

SECOND = 10**9


# 13.5


def leaf(rows: MemoryRows, number: int, own: int, parent: EntityId | None = None) -> Index:
    index = Index(rows, INTEROP)
    if parent is None:
        index.add_root(ChildInfo(eid(number), digest(own), md(1, 1)))
    else:
        index.add_child_to(parent, ChildInfo(eid(number), digest(own), md(1, 1)))
    index.flush()
    return index


LEAVES = {
    1: "72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793",
    2: "75877bb41d393b5fb8455ce60ecd8dda001d06316496b14dfa7f895656eeca4a",
    3: "648aa5c579fb30f38af744d97d6ec840c7a91277a499a0d780f3e7314eca090b",
    4: "9f4fb68f3e1dac82202f9aa581ce0bbf1f765df0e9ac3c8c57e20f685abab8ed",
}


@pytest.mark.parametrize("own", LEAVES)
def test_13_5_leaf(own: int) -> None:
    assert leaf(MemoryRows(), 9, own).need(eid(9)).full_hash.hex() == LEAVES[own]


def test_13_5_root_with_three_children() -> None:
    rows = MemoryRows()
    leaf(rows, 9, 0)
    for number in (1, 2, 3):
        index = leaf(rows, number, number, eid(9))
    expected = "866edea6f7ce51612ad0ea3bcde93b2494d77e8c466bc2a69817a6443f2a57f0"
    assert index.need(eid(9)).full_hash.hex() == expected


def test_13_5_grandchild() -> None:
    rows = MemoryRows()
    leaf(rows, 9, 1)
    index = leaf(rows, 2, 2, eid(9))
    assert index.need(eid(9)).full_hash.hex() == "3f18867aec61c1c3cd3ca1b8a0ff42612a8dd0ad83f3e59055e3b9ba737e31d9"
    index = leaf(rows, 3, 3, eid(2))
    assert index.need(eid(2)).full_hash.hex() == "80c2b6364721221e7f87028c0482e1e16f49a29889e357c8acab8cb26d4d99da"
    assert index.need(eid(9)).full_hash.hex() == "2504baa308dcb51f7046815258e36cd4a83d34c6b1d5f1cc1b8ffa321e40f0c6"


# 13.6

LINK = (ChildInfo(ROOT, digest(0), md(10, 10)),)
R = Update(ROOT, bytes(C), (), md(10, 10))


def add(number: int, data: str, created: int, updated: int) -> Add:
    return Add(eid(number), data.encode(), LINK, md(created, updated))


def update(number: int, data: str, created: int, updated: int) -> Update:
    return Update(eid(number), data.encode(), LINK, md(created, updated))


def delete(number: int, deleted_at: int) -> DeleteRef:
    return DeleteRef(eid(number), deleted_at, md(20, 20))


def typed(action: Add | Update, kind: crdt_type.CrdtType) -> Action:
    return msgspec.structs.replace(action, metadata=msgspec.structs.replace(action.metadata, crdt_type=kind))


class Fails:
    """An action that must be refused and leave no trace."""

    def __init__(self, action: Action, reason: str) -> None:
        self.action = action
        self.reason = reason


K1, K2 = PrivateKey(b"\x11" * 32), PrivateKey(b"\x22" * 32)


def signed(action: Add | Update | DeleteRef, key: PrivateKey, nonce: int, owner: PrivateKey | None = None) -> Action:
    kind = User(ed25519.public_key(owner or key), SignatureData(UNSIGNED, nonce))
    blank = msgspec.structs.replace(action, metadata=msgspec.structs.replace(action.metadata, storage_type=kind))
    return with_signature(blank, SignatureData(ed25519.sign(key, payload_for_signing(blank)), nonce))


def unsigned(action: Update) -> Action:
    kind = User(ed25519.public_key(K1))
    return msgspec.structs.replace(action, metadata=msgspec.structs.replace(action.metadata, storage_type=kind))


LEAF5 = (ChildInfo(eid(4), digest(0), md(11, 11)), *LINK)
SPARSE = Update(eid(0x33), b"\x21" * 10, (ChildInfo(ROOT, digest(0x25), md(43, 22)),), md(1, 1))
USER_DELETE = DeleteRef(eid(0x66), 70, md(20, 60))

CASES: dict[int, tuple[list[Action | Fails], str, str]] = {
    1: (
        [Update(ROOT, b"", (), md(1, 1)), SPARSE],
        "bc3a2eac42ac56b6e2a1dfdaf9950d5a3ced855f681160111ae3816c1f5a235d",
        "5783c6a3dca65b11a8192be912edff54f0a6b0add8b325cd56130d8686d771ae",
    ),
    2: (
        [SPARSE],
        "45faa996a0d7cc8208fb49b4504177bf25c5cbb81c87623c7fcfcd84e7f7f1ce",
        "1d6b054d5c587c5d5c4bf12a19e4bfe1303ea21b11e4fa5c25bc7431f1734ffd",
    ),
    4: (
        [R, add(3, "c", 30, 30), add(2, "b", 20, 20), add(1, "a", 30, 30)],
        "89361f31daadf433fb8863417546ecf06cfc03b3ec1e439641f13918467fbb0b",
        "e238b45ec1f038f3f29f90a9cb47c14173f74a80808be6b48b1db2f67a190c41",
    ),
    5: (
        [
            R,
            add(4, "col", 11, 11),
            Add(eid(5), b"leaf", LEAF5, md(12, 12)),
            Update(eid(5), b"leaf2", LEAF5, md(12, 13)),
        ],
        "131791b55c8926b45dcd8ea944e0483c9020eab96aac421c01c624fb15a943eb",
        "00963ab63514eeebfabc071cb6776a33d03c122705dabc81029aa276032ddac0",
    ),
    7: (
        [R, add(1, "a", 20, 20), add(2, "b", 21, 21), delete(1, 25)],
        "ac94b72d6dc7556baeb18e99f06e7414937c8330192b11e939a04dee1b440a55",
        "edd30511bd9002b5064df9cfad8d8fce1f60f8d0b4070cae35877301d599b8a2",
    ),
    8: (
        [R, add(1, "a", 20, 26), delete(1, 25)],
        "bca57bc843d1c5f288be00cc0eed22b75091ffb02dbdfef041c0c997f93076ba",
        "fe5d7e919dc28d985fb794d3bc928abadcedbaeab53716092e9c387cb6145bec",
    ),
    10: (
        [R, Fails(delete(9, 25), "Index not found")],
        "3400ed2963c94e95129c16a36efa0b9eb4f0c02274cba62fe6f2e006d9a72600",
        "f7bfb69315ccbaddd0419fd016bd0b21a0f12deb7c2677ba99dc0fd119647eb5",
    ),
    11: (
        [R, add(1, "a", 20, 20), delete(1, 30), delete(1, 25)],
        "3400ed2963c94e95129c16a36efa0b9eb4f0c02274cba62fe6f2e006d9a72600",
        "d6a24eb439a3f7d00a5dcda056d5b5ad3ab4187fdd017759e819bc4812953345",
    ),
    13: (
        [R, add(1, "a", 20, 20), delete(1, 30), add(1, "a2", 40, 40)],
        "a66b6e162ee90224e0136df743c8ffb471473c0b40ce6f066bfc91dc4be94fe7",
        "edf60fe822610b5e59b861a99dd1e408d42bea280cb81c7acc0cd4a71191ed7e",
    ),
    14: (
        [R, add(1, "a", 20, 20), delete(1, 30), update(1, "a2", 20, 40)],
        "a66b6e162ee90224e0136df743c8ffb471473c0b40ce6f066bfc91dc4be94fe7",
        "cc07c5807be945348877e9a9e5d1d0b7f759c7224f15a212274a8f7c588b7377",
    ),
    16: (
        [R, add(1, "new", 20, 30), update(1, "old", 20, 29)],
        "91ae3d8614abb06611c05a73feca13fab6b49aa8955154ff05eca96ecd930725",
        "bbdb63c1936d700ab93cea9828ff7c8294fa0de677488a45d545f6cbf4fe4655",
    ),
    17: (
        [R, add(1, "new", 20, 30), update(1, "old", 20, 30)],
        "3201b06eb860cb0b58aa99fd3fc7e6045f1861fc39c8d7abfd2c1dc5e323f701",
        "3ff336557e566bd0d42ac628b8d199bf2149544dbb268110d60dc1a77cf9e3a1",
    ),
    19: (
        [
            add(1, "new", 20, 30),
            R,
            Fails(Update(ROOT, bytes(C), (), md(10, 11)), "No merge function registered for root entity"),
        ],
        "91ae3d8614abb06611c05a73feca13fab6b49aa8955154ff05eca96ecd930725",
        "bbdb63c1936d700ab93cea9828ff7c8294fa0de677488a45d545f6cbf4fe4655",
    ),
    20: (
        [Fails(Add(eid(1), b"x", (), md(1, 1)), "Index not found")],
        "none",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    22: (
        [
            R,
            signed(add(0x66, "mine", 20, 20), K1, 20),
            Fails(signed(add(0x66, "mine", 20, 20), K1, 20), "Nonce replay"),
            signed(update(0x66, "mine2", 20, 30), K1, 30),
            Fails(signed(update(0x66, "mine2", 20, 40), K2, 40), "Cannot change owner"),
            signed(add(0x66, "stolen", 20, 50), K2, 50),
            Fails(update(0x66, "x", 20, 60), "Cannot change StorageType"),
            Fails(unsigned(update(0x66, "x", 20, 60)), "must be signed"),
            Fails(signed(USER_DELETE, K2, 70, owner=K1), "Invalid signature"),
            Fails(DeleteRef(eid(0x66), 70, md(20, 60)), "Invalid signature"),
            Fails(signed(DeleteRef(eid(0x66), 40, md(20, 60)), K1, 40), "Nonce replay"),
            signed(USER_DELETE, K1, 70),
        ],
        "3400ed2963c94e95129c16a36efa0b9eb4f0c02274cba62fe6f2e006d9a72600",
        "ceae3a4396256bb876f59231c2f53156816ddee53567c2daf543943ed256dc94",
    ),
    23: (
        [
            R,
            typed(add(1, "first", 20, 20), crdt_type.FrozenStorage()),
            typed(update(1, "second", 20, 30), crdt_type.FrozenStorage()),
        ],
        "eecaff8a9d29aab6725e517fc509931980ee50bd62a24db3e31687158e95a142",
        "325ee73428f80fb8b88ac8c2953839457b01353ca07281b83e03297aa84e88f3",
    ),
    25: (
        [
            R,
            typed(add(1, "first", 20, 20), crdt_type.GCounter()),
            typed(update(1, "second", 20, 30), crdt_type.GCounter()),
        ],
        "4330671d5760e1adbd126532bf846ae6935a9d0cc050a3c15c699a1db202de0d",
        "b6e4f0a12f207065acd12a5521fcefbe8b7386d1eae8ab555b8db487c5835250",
    ),
}


def play(rules: Rules, steps: list[Action | Fails]) -> Harness:
    harness = Harness(rules)
    harness.now = time.time_ns()
    for step in steps:
        if isinstance(step, Fails):
            before = dict(harness.rows)
            with pytest.raises(StorageError, match=step.reason):
                harness.apply(step.action)
            assert harness.rows == before
        else:
            harness.apply(step)
    return harness


@pytest.mark.parametrize("number", CASES)
def test_13_6_actions(number: int) -> None:
    steps, root, rows = CASES[number]
    harness = play(REFERENCE, steps)
    assert (harness.root_hash.hex() if harness.root_hash else "none") == root
    assert harness.digest == rows


@pytest.mark.parametrize("number", sorted(set(CASES) - {19}))
def test_13_6_roots_are_the_same_with_the_repairs_that_change_no_hash(number: int) -> None:
    steps, root, _ = CASES[number]
    harness = play(INTEROP, steps)
    assert (harness.root_hash.hex() if harness.root_hash else "none") == root


def test_13_6_rows_of_case_1() -> None:
    rows = play(REFERENCE, CASES[1][0]).rows
    assert rows[index_key(eid(0x33))] == text(
        "[33×32] 01 [c1×32] 0017c9d5894a5e36ed709aab63eab9dd431f752eb109e5aa5a50ba5ae9a59f6d7de62ea9fbedc5dfbf002dde4d"
        "1f058f9173282a9fd40d0ded25382e17ac83706d0100000000000000010000000000000000000000"
    )
    assert rows[index_key(root_id(C))] == text(
        "[c1×32] 000101000000 [33×32] 17c9d5894a5e36ed709aab63eab9dd431f752eb109e5aa5a50ba5ae9a59f6d7d0100000000000000"
        "0100000000000000000000bc3a2eac42ac56b6e2a1dfdaf9950d5a3ced855f681160111ae3816c1f5a235de3b0c44298fc1c149afbf4c8"
        "996fb92427ae41e4649b934ca495991b7852b8550100000000000000010000000000000000000000"
    )


def test_13_8_root_with_data_and_no_children() -> None:
    harness = play(REFERENCE, [R])
    node = harness.engine().index.need(ROOT)
    assert node.own_hash.hex() == "56d2617ec4deb8c5b71b3549b853c844e5ea57a8a8780711e0322a1cc84825e2"
    assert node.full_hash.hex() == "3400ed2963c94e95129c16a36efa0b9eb4f0c02274cba62fe6f2e006d9a72600"


# 13.7

MAP_NEW = (
    "6400c1459acdc758f24ce3004a5e608f94053d694f11b4c9361d43941a634022",
    "85d3cb1466539ea00c82115d9a9e946cc07c7005e55655a8bc41aedf228adaaa",
)


def op(name: str, **arguments: object) -> dict[str, object]:
    out: dict[str, object] = {"op": name}
    for key, value in arguments.items():
        out[key] = value.encode().hex() if key in {"key", "value"} and isinstance(value, str) else value
    return out


JS: dict[str, tuple[list[tuple[dict[str, object], str, str]], str]] = {
    "J1": (
        [
            (op("map_new", **{"as": "m"}), *MAP_NEW),
            (
                op("map_insert", id="m", key="k1", value="v1"),
                "76a0089bc7712121f5ac41c31cfc3adc750062a763c2dc6fe7ed3622231807fb",
                "e15fc097b760587f1b25b25f47f3321c4e247ef8a0b91711acf6918a67de5b61",
            ),
            (
                op("map_insert", id="m", key="k2", value="v2"),
                "a608b1edad371b0e92757a9cfb8126a9844f6818a1eee458cfb8e3c169857187",
                "dafc40f0e2874e817af6015b71c7f5548bd3ae05f7bf5f73de016c2caf3cca83",
            ),
            (
                op("map_insert", id="m", key="k1", value="v3"),
                "1b512790b3a845514bd3e8b81b3c79726872aa783166067b7302beddcc033aeb",
                "2330a8e02f597ac7356e12302665478f66af751b31b7b675becced4329365733",
            ),
            (
                op("map_remove", id="m", key="k2"),
                "34537568684dc5fef980688f3190042992962517f9160310ed6f01b5082ee320",
                "a5e7b926286f403a1d76ce617e23d38656fc8d66d2590000af3afd12cf7ddd5d",
            ),
            (
                op("map_insert", id="m", key="k2", value="v4"),
                "273edd8b874af3c5e9c4857c7a914cb65164ec180026f811a2451403d3aac29a",
                "339455a4f8c7d550dd2116fa0ab1514a8e6983499a3adfe7ebb08739533760c8",
            ),
        ],
        "01d69c49f0bd555a3d54f268a1ff9b62c156a06d131a26aff46498aef9174043",
    ),
    "J2": (
        [
            (op("vector_new", **{"as": "v"}), *MAP_NEW),
            (
                op("vector_push", id="v", value="a"),
                "c9121e6ec91f04022056a043bf41e9fc02bf8204b40c0ed4418bf15784859b53",
                "2f788395a3c61729add2bc5d9b2364c2cb3104a6171707c1d181ece9e3305dca",
            ),
            (
                op("vector_push", id="v", value="b"),
                "ad2748be27ae722b1ce0fcfa96333d6c9c6ae3b7c16f70cc8cddd089823bd1b2",
                "4327e7f54a43b5f31a478d9667c93401988644babac5ac9c0229b06a77db9519",
            ),
            (
                op("vector_push", id="v", value="c"),
                "212aee69995a140bd6d28ae9c4d7d42f434b0b9181aadcda7912c9e5cdc22f6f",
                "72bc0a7e82dea8720459439127628f0c5f1fd62658c599dd0c6cbe353c960b23",
            ),
            (
                op("vector_update", id="v", index=1, value="B"),
                "70197609a420d7c824b769c2a4d2ad2d1ad31b587b14fe559806ec3d514711c8",
                "88e32d286c4042a2964a94bcba767154fff162ad82c980a6c3f4f9bec988d4af",
            ),
            (
                op("vector_pop", id="v"),
                "0c4e708150df8839616f5df16323ee762fb7720706b4b4c7af4dae5e0e655e15",
                "99746507e142589f04c932f00a79f7270fd25ce6dd8046e38110c9f60d77ffe3",
            ),
        ],
        "e5381138508fa9cec060eaaaaf267fb285fa86e5fc32754b436f413602e83194",
    ),
    "J3": (
        [
            (op("set_new", **{"as": "s"}), *MAP_NEW),
            (
                op("set_insert", id="s", value="x"),
                "61816334fde933e74469d37217d139029c6c4ebfdfd069eddc5cbb0253e40f2d",
                "7234074eb9eaa48ade44946fcec75e4662bd8add87de2168bb80d8a04deef183",
            ),
            (
                op("set_insert", id="s", value="x"),
                "61816334fde933e74469d37217d139029c6c4ebfdfd069eddc5cbb0253e40f2d",
                "38f21e64fb0f4de687f2c4e3be84e6aa0758c55b81e6c41d711449334ce443fa",
            ),
            (
                op("set_insert", id="s", value="y"),
                "b021557629133f7b5cbaffeb93f371691827205ef6b7c29a72f1efd766047ab8",
                "709c7ffcaa25bf6845d8a6c8ae808f84cf7c2ab5ed0e61856a3d8999cff24dc9",
            ),
            (
                op("set_clear", id="s"),
                "6400c1459acdc758f24ce3004a5e608f94053d694f11b4c9361d43941a634022",
                "698e10562c936d40e150cf600a00e5f3b34bc3d723b6363a35314564c5e0ec80",
            ),
        ],
        "269e68e4ecf8c0aec0de3c6fba1525416320a11c317d950e94c17d2bdc127b4b",
    ),
    "J4": (
        [
            (
                op("counter_new", **{"as": "c"}),
                "aaf445b84e1c852527f7c4f45b115fb8c95f7dc221f1a2632f7e2b1a1224d040",
                "40ef3ac9c8b8b3854a1ab1789d2099ec34cd799c0bf4f9cd9fe43a57c1e12ccc",
            ),
            (
                op("counter_increment", id="c"),
                "f348ae8ee8762e6492735fb9fc0d995112cdcab4babf142d08dc6f31e74adf80",
                "a0fda93c326044ae70dd355e736a678f8d402ebe55c382c729fc9fea68cb086f",
            ),
            (
                op("counter_increment", id="c"),
                "d9e89884b8c1331c0fe810d8f23ffa4431229c4967879d996de59e503e62894c",
                "73b099c5c937a4c6638b880ac33fbacf615af51820b1bedd5fdc3ed7d3318693",
            ),
        ],
        "90052083d1196565a2d670d0c80d039e5e33bb52af9370769a1457bf660abb03",
    ),
    "J5": (
        [
            (
                op("lww_new", **{"as": "r"}),
                "b08e2fab5c29d291eec25a6cfcfa266c7fdda128835f5644a6a817506521e3c2",
                "d1867935da3a1de12b2cf15831913fda116410ecb6a1e321ab40a666c84c2cfe",
            ),
            (
                op("lww_set", id="r", value="x"),
                "7391f8c5e3ac5e209c580c958936c7a47026206ac06f8425fa1e7f7e98ace145",
                "bf7f0c1286166704324fbe343df7db9f496eef86d0a75da773cfb07d4fe5183c",
            ),
            (
                op("lww_set", id="r"),
                "7a498c45d66ea813cbd79e0f9a19020956c3f9cf112dcdf510388f7192946406",
                "5169883ac5778906521674eac971db26644e379b34e1ea47bf77ef945c1ab364",
            ),
        ],
        "2f92ab78256b2fe214c0a2702d2574c2abb64dcd5ece67ebf6220db58bfe8fee",
    ),
    "J6": (
        [
            (
                op("user_new", **{"as": "u"}),
                "7cc08d4480bf5cd41bea25d485c5881ae8aa878200065ae4703a744379ab30c6",
                "1277b7419dbb279f945593c5eb05116658525f339f4e57fbc0cf3ce6e894804c",
            ),
            (
                op("user_insert", id="u", value="mine"),
                "03f928dc0b7c96832e35310390643ff7dfcb6b656d205192d1f7e19f0f172d70",
                "a6fef2ff50075f998079a1f2b7c2bfbd51b50c7e4ab47a73bf83549949a2b459",
            ),
            (
                op("frozen_new", **{"as": "f"}),
                "04bd1b5ef50d730380d00c54b07fa88ee2430003a6938b745c170d1bff49653d",
                "4abb064df66aef413be199ae8e26d639ea79a437d5308097d0d23550669032fc",
            ),
            (
                op("frozen_add", id="f", value="ice"),
                "25239104bfb8b80c714181be2c5ede71df3a49d0f310be65871b9a381fcc67a1",
                "ff1fcae59d23a832198763953696ea9b976afb9a22a57125e161fcde12bd2bd5",
            ),
            (
                op("frozen_add", id="f", value="ice"),
                "25239104bfb8b80c714181be2c5ede71df3a49d0f310be65871b9a381fcc67a1",
                "8d8ef91cac7d026861bef6ec4b38a67fdfe332619f117e36eeaa661bef4d0a3a",
            ),
        ],
        "22f45e3aad7cf9be31d3a58724cbab5692fce53034bd54aea922ad4d40a4c504",
    ),
}


def start(rules: Rules) -> Harness:
    harness = Harness(rules)
    harness.run({"op": "add_root", "at": SECOND, "metadata": _metadata(SECOND).hex()})
    return harness


def _metadata(when: int) -> bytes:
    return when.to_bytes(8, "little") * 2 + bytes(3)


@pytest.mark.parametrize("case", JS)
def test_13_7_native_collections(case: str) -> None:
    steps, rows = JS[case]
    harness = start(REFERENCE)
    for second, (step, root, artifact) in enumerate(steps, 1):
        harness.run({**step, "at": second * SECOND})
        assert harness.root_hash == Hash(bytes.fromhex(root)), f"root after step {second}"
        assert sha256(harness.artifact).hexdigest() == artifact, f"artifact of step {second}"
    assert harness.digest == rows


@pytest.mark.parametrize("case", JS)
def test_13_7_roots_are_the_same_with_the_repairs_that_change_no_hash(case: str) -> None:
    harness = start(INTEROP)
    for second, (step, root, _) in enumerate(JS[case][0], 1):
        harness.run({**step, "at": second * SECOND})
        assert harness.root_hash == Hash(bytes.fromhex(root)), f"root after step {second}"


def test_13_7_a_removed_key_that_is_set_again_is_a_ghost() -> None:
    harness = start(REFERENCE)
    for second, (step, _, _) in enumerate(JS["J1"][0], 1):
        harness.run({**step, "at": second * SECOND})
    assert harness.run(op("map_get", id="m", key="k2")) is None
    assert harness.run(op("map_contains", id="m", key="k2")) is True
    assert harness.run(op("map_len", id="m")) == 2
    assert harness.run(op("map_entries", id="m")) == [["6b31", "7633"]]
