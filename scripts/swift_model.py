"""The proto files as the Swift generator sees them: names settled, comments found."""

from google.protobuf import descriptor_pb2

import swift_names as names

Field = descriptor_pb2.FieldDescriptorProto

# Packages whose types stand in a namespace of their own. All others must be `fovea.*`, whose types
# stand in the module itself.
NAMESPACES = {
    "google.protobuf": "GoogleProtobuf",
    "google.rpc": "GoogleRPC",
    "grpc.health.v1": "Health",
    "grpc.reflection.v1": "ReflectionV1",
    "grpc.reflection.v1alpha": "ReflectionV1Alpha",
    "fovea.testing.v1": "EchoTest",
}
# A message field is held out of line when its type is estimated to be larger than this.
INLINE_BYTES_MAX = 256


class GenerationError(Exception):
    """The proto files cannot become Swift; the message says why."""


class Type:
    """A message or an enum."""

    def __init__(self, proto, full_name, parent, file, comment, comments):
        self.proto, self.full_name, self.parent, self.file = proto, full_name, parent, file
        self.comment, self.comments = comment, comments
        self.swift = names.type_name(proto.name)
        self.children, self.fields, self.oneofs = [], [], []
        self.is_message = isinstance(proto, descriptor_pb2.DescriptorProto)
        self.is_map_entry = self.is_message and proto.options.map_entry

    @property
    def path(self):
        """Swift names from the outermost inward, the namespace included."""
        if self.parent:
            return self.parent.path + [self.swift]
        namespace = NAMESPACES.get(self.file.package)
        return ([namespace] if namespace else []) + [self.swift]

    @property
    def c_type(self):
        return names.c_type(self.full_name)

    @property
    def c_function(self):
        return names.c_function(self.full_name)


class OneOf:
    """A real `oneof`: an enum with associated values."""

    def __init__(self, proto, owner, comment):
        self.proto, self.comment, self.fields = proto, comment, []
        self.swift = names.member(proto.name, names.MESSAGE_MEMBERS)
        taken = {child.swift for child in owner.children} | set(owner.path)
        camel = self.swift.strip("_")
        self.type = camel[0].upper() + camel[1:]
        if self.type in taken | names.SWIFT_RESERVED_MEMBERS | names.SWIFT_TYPES:
            self.type += "Choice"
        self.c_case = names.c_member(proto.name.lower() + "_case")


class SwiftField:
    """A field with its names and its kind: singular, optional, oneof, repeated or map."""

    def __init__(self, proto, owner, comment):
        self.proto, self.owner, self.comment = proto, owner, comment
        self.swift = names.member(proto.name, names.MESSAGE_MEMBERS)
        self.c_name = names.c_field(proto.name)
        self.c = names.c_member(self.c_name)
        self.kind, self.type, self.is_boxed = "singular", None, False
        if proto.label == Field.LABEL_REPEATED:
            self.kind = "repeated"
        elif proto.proto3_optional:
            self.kind = "optional"
        elif proto.HasField("oneof_index"):
            self.kind = "oneof"

    @property
    def is_message(self):
        return self.proto.type == Field.TYPE_MESSAGE

    @property
    def c_case(self):
        """The C field that says whether a proto3 `optional` is set."""
        return names.c_member("_" + self.proto.name.lower() + "_case")


class Model:
    """All types and services of a descriptor set, by full name."""

    def __init__(self, descriptor_set):
        self.files = list(descriptor_set.file)
        self.types, self.by_file, self.services = {}, {}, {}
        for file in self.files:
            if file.syntax != "proto3":
                raise GenerationError(f"{file.name}: only proto3 is supported")
            if file.package not in NAMESPACES and not file.package.startswith("fovea."):
                raise GenerationError(
                    f"{file.name}: package {file.package} has no namespace; add one to"
                    " NAMESPACES in scripts/swift_model.py")
            self._read(file)
        for type in self.types.values():
            if type.is_message:
                self._read_fields(type)
        self._check_names()
        self._choose_boxes()

    def comment(self, file, path):
        return self._comments[file.name].get(tuple(path), "")

    def _read(self, file):
        if not hasattr(self, "_comments"):
            self._comments = {}
        self._comments[file.name] = {
            tuple(l.path): l.leading_comments or l.trailing_comments
            for l in file.source_code_info.location
        }
        top = []
        for index, message in enumerate(file.message_type):
            top.append(self._add(message, "." + file.package, None, file, (4, index)))
        for index, enum in enumerate(file.enum_type):
            top.append(self._add(enum, "." + file.package, None, file, (5, index)))
        self.by_file[file.name] = top
        self.services[file.name] = list(enumerate(file.service))

    def _add(self, proto, scope, parent, file, path):
        full_name = f"{scope}.{proto.name}"
        type = Type(proto, full_name, parent, file, self.comment(file, path), path)
        self.types[full_name] = type
        if type.is_message:
            for index, nested in enumerate(proto.nested_type):
                child = self._add(nested, full_name, type, file, path + (3, index))
                if not child.is_map_entry:
                    type.children.append(child)
            for index, enum in enumerate(proto.enum_type):
                type.children.append(self._add(enum, full_name, type, file, path + (4, index)))
        return type

    def _read_fields(self, type):
        type.oneofs = []
        by_index = {}
        for index, proto in enumerate(type.proto.field):
            comment = self.comment(type.file, type.comments + (2, index))
            field = SwiftField(proto, type, comment)
            if proto.type == Field.TYPE_GROUP:
                raise GenerationError(f"{type.full_name}.{proto.name}: groups are not supported")
            field.type = self.types.get(proto.type_name)
            if field.type and field.type.is_map_entry:
                field.kind = "map"
            type.fields.append(field)
            if field.kind == "oneof":
                by_index.setdefault(proto.oneof_index, []).append(field)
        for index, fields in sorted(by_index.items()):
            comment = self.comment(type.file, type.comments + (8, index))
            oneof = OneOf(type.proto.oneof_decl[index], type, comment)
            oneof.fields = fields
            type.oneofs.append(oneof)

    def _check_names(self):
        seen = {}
        for type in self.types.values():
            if type.is_map_entry:
                continue
            if type.swift in names.SWIFT_TYPES or type.swift in NAMESPACES.values():
                raise GenerationError(f"{type.full_name}: the name {type.swift} is taken in Swift")
            self._claim(seen, ".".join(type.path), type.full_name)
            for oneof in type.oneofs:
                place = f"{type.full_name}.{oneof.proto.name}"
                self._claim(seen, ".".join(type.path + [oneof.type]), place)
            members = {}
            for field in type.fields:
                self._claim(members, field.swift, f"{type.full_name}.{field.proto.name}")
        for file in self.files:
            for _, service in self.services[file.name]:
                path = ".".join(self.service_path(file, service))
                self._claim(seen, path, f".{file.package}.{service.name}")

    @staticmethod
    def _claim(seen, swift, full_name):
        if swift in seen:
            raise GenerationError(
                f"{full_name} and {seen[swift]} would both be {swift} in Swift: rename one")
        seen[swift] = full_name

    @staticmethod
    def service_path(file, service):
        """A service named as its namespace is called `Service`."""
        namespace = NAMESPACES.get(file.package)
        if not namespace:
            return [service.name]
        return [namespace, "Service" if service.name == namespace else service.name]

    # Which message fields are held out of line

    def _inline(self, type):
        """The fields that are held inside the struct of `type`, one after another."""
        return [f for f in type.fields
                if f.is_message and f.kind in ("singular", "optional", "oneof") and not f.is_boxed]

    def _reaches(self, start, goal, seen):
        if start is goal:
            return True
        if start in seen:
            return False
        seen.add(start)
        return any(self._reaches(f.type, goal, seen) for f in self._inline(start))

    def _choose_boxes(self):
        for type in self.types.values():
            for field in self._inline(type):
                field.is_boxed = self._reaches(field.type, type, set())
        for _ in range(8):
            for type in self.types.values():
                for field in self._inline(type):
                    field.is_boxed = self.size(field.type) > INLINE_BYTES_MAX

    def size(self, type):
        """About how many bytes the Swift struct takes."""
        total, choices = 0, {}
        for field in type.fields:
            size = self._field_size(field)
            if field.kind == "oneof":
                index = field.proto.oneof_index
                choices[index] = max(choices.get(index, 0), size)
            else:
                total += size
        return total + sum(choice + 8 for choice in choices.values())

    def _field_size(self, field):
        if field.kind in ("repeated", "map") or field.is_boxed:
            return 8
        if field.is_message:
            return self.size(field.type) + 8
        sizes = {Field.TYPE_STRING: 16, Field.TYPE_BYTES: 24, Field.TYPE_BOOL: 1}
        return sizes.get(field.proto.type, 8)
