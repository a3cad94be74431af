"""Writes Tests/Goldens/messages: messages as Google's protobuf library encodes them.

    python3 scripts/make-goldens/messages.py    (needs scripts/requirements.txt)

everything.bin: fovea.testing.v1.Everything, CASES of them with random fields (seed = index), each
after its length as a little-endian 32-bit number. known.bin: one with the values that
KnownMessage.swift lists.
"""

import pathlib
import random
import struct

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = 60
EDGES = {
    "int32": [1, -1, 2**31 - 1, -2**31, 300], "int64": [1, -1, 2**63 - 1, -2**63, 1 << 40],
    "uint32": [1, 2**32 - 1, 128], "uint64": [1, 2**64 - 1, 1 << 50],
    "double": [1.5, -2.25, 1e300, 5e-324, float("inf")], "float": [1.5, -0.25, float("-inf")],
    "bool": [True],
}
KINDS = {
    FieldDescriptor.CPPTYPE_INT32: "int32", FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_UINT32: "uint32", FieldDescriptor.CPPTYPE_UINT64: "uint64",
    FieldDescriptor.CPPTYPE_DOUBLE: "double", FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
}
TEXTS = ["a", "déjà vu", "日本語", "🦊🦊", "x" * 130, "line\nline", "\x7f"]


def everything_class():
    data = (ROOT / "Sources/Shared/CMessages/descriptors.bin").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    name = "fovea.testing.v1.Everything"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def value(field, rng):
    """A random value that is not the default: protobuf-c leaves defaults out of map entries."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice([1, 7, -1, 8, 2147483647, 5, -77])  # some of them unknown
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice([1, 5, 20, 60] * 8 + [4095, 4096]))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return rng.choice(TEXTS)
    return rng.choice(EDGES[KINDS[field.cpp_type]])


def fill(message, rng, depth, density):
    for field in message.DESCRIPTOR.fields:
        if rng.random() > density:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            fill_map(message, field, rng)
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            target = getattr(message, field.name)
            for _ in range(rng.randint(1, 4)):
                if field.message_type:
                    inner = target.add()
                    if depth > 0:
                        fill(inner, rng, depth - 1, density / 2)
                else:
                    target.append(value(field, rng))
        elif field.message_type:
            inner = getattr(message, field.name)
            inner.SetInParent()
            if depth > 0:
                fill(inner, rng, depth - 1, density / 2)
        else:
            setattr(message, field.name, value(field, rng))


def fill_map(message, field, rng):
    key, content = (field.message_type.fields_by_name[n] for n in ("key", "value"))
    target = getattr(message, field.name)
    for _ in range(rng.randint(1, 4)):
        if content.message_type:
            inner = target[value(key, rng)]
            inner.number = rng.choice(EDGES["int32"])
        else:
            target[value(key, rng)] = value(content, rng)


def known(everything):
    m = everything()
    m.double_value, m.float_value = 1.25, -2.5
    m.int32_value, m.int64_value = -3, -4_000_000_000
    m.uint32_value, m.uint64_value = 4_000_000_005, 18_000_000_000_000_000_006
    m.sint32_value, m.sint64_value = -7, -8_000_000_000
    m.fixed32_value, m.fixed64_value = 9, 10
    m.sfixed32_value, m.sfixed64_value = -11, -12
    m.bool_value, m.string_value, m.bytes_value = True, "fourteen é", b"\x00\x0f\xff"
    m.shade, m.inner = 7, 1
    m.nested.number, m.nested.text = 18, "eighteen"
    m.recursive.int32_value = 19
    m.recursive.recursive.string_value = "deeper"
    m.optional_double, m.optional_int32, m.optional_uint64 = 0, 0, 0
    m.optional_bool, m.optional_string, m.optional_bytes = False, "", b""
    m.optional_shade = 0
    m.optional_nested.SetInParent()
    m.repeated_double.extend([0, 1.5])
    m.repeated_float.extend([0, 2.5])
    m.repeated_int32.extend([0, -1, 2**31 - 1])
    m.repeated_sint64.extend([0, -1, -2**63])
    m.repeated_fixed32.extend([0, 2**32 - 1])
    m.repeated_bool.extend([True, False, True])
    m.repeated_shade.extend([0, 7, -1, 5])
    m.unpacked_int32.extend([0, -1, 5])
    m.unpacked_shade.extend([8, 9, 0])
    m.repeated_string.extend(["", "b", ""])
    m.repeated_bytes.extend([b"", b"\x00", b""])
    m.repeated_nested.add()
    m.repeated_nested.add().number = 2
    m.repeated_recursive.add().far = "away"
    m.repeated_uint64.extend([0, 2**64 - 1])
    m.choice_recursive.other_uint64 = 0
    m.other_string = ""
    m.labels["key"], m.labels["other"] = "value", "thing"
    m.nested_by_number[-5].number = 1
    m.nested_by_number[6].text = "six"
    m.shade_by_flag[True] = 1
    m.bytes_by_name["raw"] = b"\x01\x02"
    m.double_by_number[-3] = 0.5
    for name, text in [("self", "self"), ("class", "class"), ("Type", "type"),
                       ("protocol", "protocol"), ("namespace", "namespace"),
                       ("description", "description"), ("far", "far")]:
        setattr(m, name, text)
    m.default, m.init, m.register, m.odd_Name_2x = 83, True, 89, 91
    getattr(m, "in").extend([86])
    return m


def main():
    folder = ROOT / "Tests/Goldens/messages"
    folder.mkdir(parents=True, exist_ok=True)
    everything = everything_class()
    (folder / "known.bin").write_bytes(known(everything).SerializeToString(deterministic=True))
    records = b""
    for seed in range(CASES):
        message = everything()
        fill(message, random.Random(seed), depth=2, density=(seed % 10 + 1) / 12)
        encoded = message.SerializeToString(deterministic=True)
        records += struct.pack("<I", len(encoded)) + encoded
    (folder / "everything.bin").write_bytes(records)


if __name__ == "__main__":
    main()
