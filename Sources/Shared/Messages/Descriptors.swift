package import Base
import CMessages

/// The descriptors of all proto files, for reflection: raw `FileDescriptorProto`s by file name and by
/// the symbols they define.
package struct Descriptors: Sendable {
    /// One proto file.
    package struct File: Sendable, Hashable {
        /// The path that imports use, such as `fovea/dataset/v1/dataset.proto`.
        package let name: String
        /// The serialised `google.protobuf.FileDescriptorProto`.
        package let bytes: Bytes
        /// The names of the files that it imports.
        package let dependencies: [String]
        /// The full names of the services in it.
        package let services: [String]
    }

    /// A method as the descriptors have it.
    package struct Method: Sendable, Hashable {
        package let path: MethodPath
        package let kind: MethodKind
        /// The full name of the request message.
        package let request: String
        /// The full name of the response message.
        package let response: String
    }

    /// The descriptors built into this program.
    package static let shared = Descriptors(descriptorSet: embeddedSet())

    /// All files, imports before what imports them.
    package private(set) var files: [File] = []
    /// All methods, in the order of the files.
    package private(set) var methods: [Method] = []
    private var fileIndexByName: [String: Int] = [:]
    private var fileIndexBySymbol: [String: Int] = [:]

    /// The full names of all services, in the order of the files.
    package var services: [String] { files.flatMap(\.services) }

    /// The file with the import path `name`.
    package func file(named name: String) -> File? { fileIndexByName[name].map { files[$0] } }

    /// The file that defines a service, method, message, field, oneof, enum or enum value, by full
    /// name: `fovea.dataset.v1.Datasets.CreateDataset`.
    package func file(defining symbol: String) -> File? {
        fileIndexBySymbol[symbol].map { files[$0] }
    }

    /// `file` and all that it needs, imports first.
    package func closure(of file: File) -> [File] {
        var (result, seen): ([File], Set<String>) = ([], [])
        collect(file, &result, &seen)
        return result
    }

    private func collect(_ file: File, _ result: inout [File], _ seen: inout Set<String>) {
        guard seen.insert(file.name).inserted else { return }
        for name in file.dependencies {
            if let dependency = self.file(named: name) { collect(dependency, &result, &seen) }
        }
        result.append(file)
    }

    /// Indexes a serialised `google.protobuf.FileDescriptorSet`; what cannot be read is left out.
    package init(descriptorSet: Bytes) {
        for field in DescriptorFields(descriptorSet) where field.number == 1 { add(field.contents) }
    }

    private mutating func add(_ bytes: Bytes) {
        let fields = DescriptorFields(bytes)
        let package = fields.text(2)
        let scope = package.isEmpty ? "" : package + "."
        var (symbols, services): ([String], [String]) = ([], [])
        for field in fields {
            switch field.number {
            case 4: addMessage(field.contents, scope, &symbols)
            case 5: addEnum(field.contents, scope, &symbols)
            case 6: services.append(addService(field.contents, scope, &symbols))
            case 7: symbols.append(scope + DescriptorFields(field.contents).text(1))
            default: break
            }
        }
        let file = File(
            name: fields.text(1), bytes: bytes, dependencies: fields.texts(3), services: services)
        fileIndexByName[file.name] = files.count
        for symbol in symbols { fileIndexBySymbol[symbol] = files.count }
        files.append(file)
    }

    private func addMessage(_ bytes: Bytes, _ scope: String, _ symbols: inout [String]) {
        let fields = DescriptorFields(bytes)
        let name = scope + fields.text(1)
        symbols.append(name)
        for field in fields {
            switch field.number {
            case 2, 6, 8: symbols.append(name + "." + DescriptorFields(field.contents).text(1))
            case 3: addMessage(field.contents, name + ".", &symbols)
            case 4: addEnum(field.contents, name + ".", &symbols)
            default: break
            }
        }
    }

    /// The values of an enum stand beside it, not in it.
    private func addEnum(_ bytes: Bytes, _ scope: String, _ symbols: inout [String]) {
        let fields = DescriptorFields(bytes)
        symbols.append(scope + fields.text(1))
        for field in fields where field.number == 2 {
            symbols.append(scope + DescriptorFields(field.contents).text(1))
        }
    }

    private mutating func addService(
        _ bytes: Bytes, _ scope: String, _ symbols: inout [String]
    ) -> String {
        let fields = DescriptorFields(bytes)
        let name = scope + fields.text(1)
        symbols.append(name)
        for field in fields where field.number == 2 {
            let method = Descriptors.method(DescriptorFields(field.contents), of: name)
            symbols.append(name + "." + method.path.name)
            methods.append(method)
        }
        return name
    }

    private static func method(_ fields: DescriptorFields, of service: String) -> Method {
        let options = DescriptorFields(fields.contents(4) ?? Bytes())
        let path = MethodPath(
            service: service, name: fields.text(1), isIdempotent: options.number(34) != 0)
        let kind: MethodKind =
            switch (fields.number(5) != 0, fields.number(6) != 0) {
            case (false, false): .unary
            case (true, false): .clientStream
            case (false, true): .serverStream
            case (true, true): .bidirectional
            }
        return Method(
            path: path, kind: kind, request: String(fields.text(2).dropFirst()),
            response: String(fields.text(3).dropFirst()))
    }

    private static func embeddedSet() -> Bytes {
        var count = 0
        let base = descriptor_set(&count)
        return Bytes(copying: UnsafeRawBufferPointer(start: base, count: count))
    }
}

/// The fields of one encoded message, without a schema. Reading ends where the bytes make no sense.
private struct DescriptorFields: Sequence {
    struct Field {
        let number: Int
        /// The value of a varint; 0 for others.
        var value: UInt64 = 0
        /// The contents of a field with a length; empty for others.
        var contents = Bytes()
    }

    private let fields: [Field]

    init(_ bytes: Bytes) {
        var reader = FieldReader(bytes: bytes)
        var fields: [Field] = []
        while let field = reader.next() { fields.append(field) }
        self.fields = fields
    }

    func makeIterator() -> IndexingIterator<[Field]> { fields.makeIterator() }

    func contents(_ number: Int) -> Bytes? { fields.last { $0.number == number }?.contents }
    func number(_ number: Int) -> UInt64 { fields.last { $0.number == number }?.value ?? 0 }
    func text(_ number: Int) -> String { contents(number)?.text ?? "" }
    func texts(_ number: Int) -> [String] {
        fields.filter { $0.number == number }.map { $0.contents.text ?? "" }
    }
}

private struct FieldReader {
    let bytes: Bytes
    var position = 0

    mutating func next() -> DescriptorFields.Field? {
        guard let tag = varint(), tag >> 3 > 0, tag >> 3 < 1 << 29 else { return nil }
        var field = DescriptorFields.Field(number: Int(tag >> 3))
        switch tag & 7 {
        case 0:
            guard let value = varint() else { return nil }
            field.value = value
        case 1: guard skip(8) != nil else { return nil }
        case 5: guard skip(4) != nil else { return nil }
        case 2:
            guard let count = varint(), let contents = skip(count) else { return nil }
            field.contents = contents
        default: return nil
        }
        return field
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func skip(_ count: UInt64) -> Bytes? {
        guard count <= UInt64(bytes.count - position) else { return nil }
        let start = position
        position += Int(count)
        return bytes.slice(start..<position)
    }
}
