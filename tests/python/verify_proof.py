"""Checks an Egret proof bundle end to end, without Egret: Python's hashlib and the public
`cryptography` package, and the words of the specifications (RFC 6962, c2sp.org/signed-note,
tlog-checkpoint, tlog-cosignature, tlog-proof).

    verify_proof.py BUNDLE LOG_KEY [WITNESS_KEY ...]

LOG_KEY and WITNESS_KEY are verifier keys, `name+id+base64`. LOG_KEY is the first key of the log.
Every given witness must have cosigned. Prints one JSON line and exits with 0, or names the step
that failed and exits with 1.
"""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG, WITNESS = 1, 4


class Failed(Exception):
    def __init__(self, step, reason):
        super().__init__(f"{step}: {reason}")


def demand(condition, step, reason):
    if not condition:
        raise Failed(step, reason)


def sha256(data):
    return hashlib.sha256(data).digest()


def decode(text):
    return base64.b64decode(text, validate=True)


class Key:
    """A verifier key."""

    def __init__(self, text):
        self.text = text
        self.name, key_id, material = text.split("+", 2)
        material = decode(material)
        self.type, self.public = material[0], material[1:]
        self.id = sha256(self.name.encode() + b"\n" + material)[:4]
        demand(self.id.hex() == key_id, "key", f"the id of {text} is wrong")
        demand(len(self.public) == 32, "key", f"{text} is not Ed25519")

    def time_of_signature(self, text, lines):
        """Verifies this key's signature; gives its time (0 without one), None if there is none."""
        for name, raw in lines:
            if name != self.name or raw[:4] != self.id:
                continue
            signature, message, at = raw[4:], text.encode(), 0
            if self.type == WITNESS:
                at = int.from_bytes(signature[:8], "big")
                signature = signature[8:]
                message = f"cosignature/v1\ntime {at}\n".encode() + message
            try:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
            except InvalidSignature:
                raise Failed("signature", f"that of {self.name} is wrong") from None
            return at
        return None


def parse_note(note):
    text, signatures = note.rsplit("\n\n", 1)
    lines = []
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        demand(dash == "\u2014", "format", "a signature line does not begin with an em dash")
        lines.append((name, decode(encoded)))
    return text + "\n", lines


def root_of(leaf, index, size, proof):
    """The root that an audit path leads to, by the recursion of RFC 6962, section 2.1.1."""
    if size == 1:
        demand(not proof, "inclusion", "the proof is too long")
        return leaf
    demand(proof, "inclusion", "the proof is too short")
    left = 1
    while left * 2 < size:
        left *= 2
    sister = proof[-1]
    if index < left:
        return sha256(b"\x01" + root_of(leaf, index, left, proof[:-1]) + sister)
    return sha256(b"\x01" + sister + root_of(leaf, index - left, size - left, proof[:-1]))


def check_included(what, leaf, index, size, proof, root):
    demand(index < size, "inclusion", f"{what} {index} is outside the tree of {size}")
    reached = root_of(leaf, index, size, proof)
    demand(reached == root, "inclusion", f"{what} {index} does not lead to the signed root")


def parse_extra(text):
    lines = text.splitlines()
    demand(lines[0] == "egret/proof@v1", "format", "unknown extra text")
    kind, value = lines[1].split(" ")
    value = decode(value)
    leaf = {"leaf": lambda: value, "pruned": lambda: None}[kind]()
    leaf_hash = value if leaf is None else sha256(b"\x00" + value)
    openings, others, rotations = [], [], []
    last = None
    for line in lines[2:]:
        words = line.split(" ")
        if words[0] == "opening":
            openings.append((bytes.fromhex(words[1]), bytes.fromhex(words[2])))
        elif words[0] in ("record", "rotation"):
            last = (int(words[1]), decode(words[2]), [])
            (others if words[0] == "record" else rotations).append(last)
        else:
            last[2].append(decode(line))
    return leaf, leaf_hash, openings, others, rotations


def follow_rotations(key, rotations, size, root):
    """The key that must have signed, from the log's first key on."""
    last = -1
    for index, leaf, proof in rotations:
        check_included("rotation", sha256(b"\x00" + leaf), index, size, proof, root)
        demand(index > last, "rotation", "out of order")
        last = index
        text, signatures = parse_note(leaf[leaf.index(b"egret/key-rotation@v1\n") :].decode())
        _, origin, stated, new = text.splitlines()
        new = Key(new)
        demand(origin == key.name == new.name, "rotation", "of another log")
        demand(int(stated) == index, "rotation", "stands elsewhere than it says")
        for signer in (key, new):
            signed = signer.time_of_signature(text, signatures) is not None
            demand(signed, "rotation", f"not signed by {signer.text}")
        key = new
    return key


def verify(bundle, log_key, witnesses):
    lines = bundle.split("\n")
    demand(lines[0] == "c2sp.org/tlog-proof@v1", "format", "not a tlog-proof")
    demand(lines[1].startswith("extra "), "format", "no extra line")
    leaf, leaf_hash, openings, others, rotations = parse_extra(decode(lines[1][6:]).decode())
    demand(lines[2].startswith("index "), "format", "no index line")
    index = int(lines[2][6:])
    blank = lines.index("", 3)
    proof = [decode(line) for line in lines[3:blank]]
    text, signatures = parse_note("\n".join(lines[blank + 1 :]))

    origin, size, root = text.splitlines()[:3]
    size, root = int(size), decode(root)
    demand(log_key.type == LOG and log_key.name == origin, "checkpoint", f"unknown log {origin}")
    signer = follow_rotations(log_key, rotations, size, root)
    signed = signer.time_of_signature(text, signatures) is not None
    demand(signed, "signature", f"the checkpoint is not signed by {signer.text}")
    times = {}
    for witness in witnesses:
        demand(witness.type == WITNESS, "witness", f"{witness.text} is not a witness's key")
        times[witness.name] = witness.time_of_signature(text, signatures)
        demand(times[witness.name] is not None, "witness", f"{witness.name} has not cosigned")
    check_included("record", leaf_hash, index, size, proof, root)
    for other, content, path in others:
        check_included("record", sha256(b"\x00" + content), other, size, path, root)
    for salt, pseudonym in openings:
        commitment = sha256(b"egret/subject-commitment/v1\x00" + salt + pseudonym)
        shown = [content for content in [leaf, *(other[1] for other in others)] if content]
        demand(any(commitment in content for content in shown), "opening", "not of this record")
    return {
        "origin": origin,
        "index": index,
        "size": size,
        "pruned": leaf is None,
        "leaf_sha256": None if leaf is None else sha256(leaf).hex(),
        "signed_by": signer.text,
        "records": [index, *(other[0] for other in others)],
        "rotations": len(rotations),
        "witnesses": times,
        "pseudonyms": [pseudonym.hex() for _, pseudonym in openings],
    }


def main():
    path, log_key, *witnesses = sys.argv[1:]
    with open(path, encoding="utf-8", newline="") as file:
        bundle = file.read()
    try:
        proved = verify(bundle, Key(log_key), [Key(text) for text in witnesses])
    except Failed as failed:
        print(failed)
        return 1
    except (ValueError, IndexError, KeyError) as error:
        print(f"format: {type(error).__name__}: {error}")
        return 1
    print(json.dumps(proved))
    return 0


if __name__ == "__main__":
    sys.exit(main())
