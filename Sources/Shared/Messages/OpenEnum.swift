/// An enum of the proto files: the known values are static members, and a value that this build
/// does not know is kept as its number.
package protocol OpenEnum: RawRepresentable, Sendable, Hashable, CustomStringConvertible
where RawValue == Int32 {
    init(rawValue: Int32)
    /// The known values in the order of the proto file, aliases left out.
    static var allKnown: [Self] { get }
    /// The full name in the proto files.
    static var enumName: String { get }
    /// The name of the value in the proto file, such as `TASK_TYPE_GENERATION`; nil if unknown.
    var name: String? { get }
}

extension OpenEnum {
    /// The value with the name that the proto file gives it.
    package init?(name: String) {
        guard let value = Self.allKnown.first(where: { $0.name == name }) else { return nil }
        self = value
    }

    /// Whether this build knows the value.
    package var isKnown: Bool { name != nil }

    /// The name in the proto file, or the number.
    package var description: String { name ?? String(rawValue) }
}

extension OpenEnum {
    /// The name without the prefix of its enum, such as `CLASSIFICATION`.
    package var plainName: String {
        guard let name, let first = Self.allKnown.first?.name else { return description }
        guard first.hasSuffix("UNSPECIFIED") else { return name }
        return String(name.dropFirst(first.count - "UNSPECIFIED".count))
    }

    /// The value whose name without prefix is this one, in any case.
    package init?(plainName: String) {
        let wanted = plainName.uppercased()
        guard let value = Self.allKnown.first(where: { $0.plainName == wanted }) else {
            return nil
        }
        self = value
    }
}

/// Holds a value out of line: for messages that contain themselves, and for large ones.
final class Box<Value: Sendable & Hashable>: Sendable, Hashable {
    let value: Value

    init(_ value: Value) { self.value = value }

    static func == (a: Box, b: Box) -> Bool { a === b || a.value == b.value }

    func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
