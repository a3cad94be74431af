"""Fails if a FileDescriptorSet breaks clients of an older one.

    compare_descriptors.py OLD NEW NAME_OF_OLD

A break: a message, enum, service, method, field or enum value that is gone, or a field or method
that changed its number, type, label, oneof or streaming. A removed field or value is fine once its
number is `reserved`.
"""

import pathlib
import sys

from google.protobuf import descriptor_pb2

# Not part of the public contract.
INTERNAL = ("fovea.testing.",)


def load(path):
    data = pathlib.Path(path).read_bytes()
    messages, enums, services = {}, {}, {}

    def add(scope, message_types, enum_types):
        for enum in enum_types:
            enums[f"{scope}.{enum.name}"] = enum
        for message in message_types:
            name = f"{scope}.{message.name}"
            messages[name] = message
            add(name, message.nested_type, message.enum_type)

    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if file.package.startswith(INTERNAL) or file.package + "." in INTERNAL:
            continue
        add(file.package, file.message_type, file.enum_type)
        for service in file.service:
            services[f"{file.package}.{service.name}"] = service
    return messages, enums, services


def oneof(message, field):
    """The real oneof that a field is in; proto3 `optional` is not one."""
    if field.proto3_optional or not field.HasField("oneof_index"):
        return None
    return message.oneof_decl[field.oneof_index].name


def shape(message, field):
    return (field.name, field.number, field.type, field.type_name, field.label,
            field.proto3_optional, oneof(message, field))


def field_breaks(name, old, new):
    by_number = {field.number: field for field in new.field}
    for field in old.field:
        now = by_number.get(field.number)
        place = f"{name}.{field.name}"
        if now is None:
            if not any(r.start <= field.number < r.end for r in new.reserved_range):
                yield f"{place} (= {field.number}) is gone and its number is not reserved"
        elif shape(old, field) != shape(new, now):
            yield f"{place} was {shape(old, field)}, is {shape(new, now)}"


def enum_breaks(name, old, new):
    numbers = {value.name: value.number for value in new.value}
    for value in old.value:
        now = numbers.get(value.name)
        # Unlike that of a field, the end of an enum's range is in it.
        if now is None and not any(
                r.start <= value.number <= r.end for r in new.reserved_range):
            yield f"{name}.{value.name} is gone and its number is not reserved"
        elif now is not None and now != value.number:
            yield f"{name}.{value.name} was {value.number}, is {now}"


def service_breaks(name, old, new):
    methods = {method.name: method for method in new.method}
    for method in old.method:
        now = methods.get(method.name)
        if now is None:
            yield f"{name}.{method.name} is gone"
            continue
        for part in ("input_type", "output_type", "client_streaming", "server_streaming"):
            if getattr(method, part) != getattr(now, part):
                yield f"{name}.{method.name}: {part} was {getattr(method, part)}," \
                      f" is {getattr(now, part)}"


def breaks(old, new):
    kinds = zip(old, new, (field_breaks, enum_breaks, service_breaks))
    for before, after, compare in kinds:
        for name, value in before.items():
            if name not in after:
                yield f"{name} is gone"
            else:
                yield from compare(name, value, after[name])


def main():
    found = list(breaks(load(sys.argv[1]), load(sys.argv[2])))
    for line in found:
        print(f"compare_descriptors: {line}", file=sys.stderr)
    if found:
        sys.exit(f"compare_descriptors: {len(found)} changes break what {sys.argv[3]} promised")


if __name__ == "__main__":
    main()
