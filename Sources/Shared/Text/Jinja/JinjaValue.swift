/// A value in a template.
enum JinjaValue: Sendable {
    case undefined(String)
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case text(MarkedText)
    case list(JinjaList)
    case object(JinjaObject)
    case namespace(JinjaNamespace)

    /// Values may nest this deep, so that walking through them needs little stack.
    static let depthMax = 64

    static func string(_ text: String) -> JinjaValue { .text(MarkedText(text)) }

    /// How deep values lie within this one.
    var depth: Int {
        switch self {
        case .list(let list): list.depth
        case .object(let object): object.depth
        // A namespace within another value could contain that value.
        case .namespace: Self.depthMax
        default: 0
        }
    }

    /// What Python calls truth.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .double(let value): value != 0
        case .text(let text): !text.text.isEmpty
        case .list(let list): !list.items.isEmpty
        case .object(let object): !object.members.isEmpty
        case .namespace: true
        }
    }

    /// What kind of value it is, for messages.
    var kindName: String {
        switch self {
        case .undefined(let name): "'\(name)', which is undefined"
        case .none: "none"
        case .bool: "a truth value"
        case .int, .double: "a number"
        case .text: "a string"
        case .list: "a list"
        case .object: "a mapping"
        case .namespace: "a namespace"
        }
    }

    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    var wholeNumber: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .int(let value): value
        default: nil
        }
    }
}

/// A list that knows how deep it nests.
struct JinjaList: Sendable {
    let items: [JinjaValue]
    let depth: Int

    init(_ items: [JinjaValue]) {
        self.items = items
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
    }
}

/// A mapping in the order of insertion.
struct JinjaObject: Sendable {
    private(set) var members: [(key: String, value: JinjaValue)] = []
    private(set) var depth = 1
    /// For a message of the conversation, its place there.
    var turn: Int?

    init(_ members: [(String, JinjaValue)], turn: Int? = nil) {
        self.turn = turn
        for (key, value) in members {
            depth = max(depth, value.depth + 1)
            if let index = self.members.firstIndex(where: { $0.key == key }) {
                self.members[index].value = value
            } else {
                self.members.append((key, value))
            }
        }
    }

    subscript(_ key: String) -> JinjaValue? { members.first { $0.key == key }?.value }
}

/// `namespace()`: values that a loop's body can change for good.
final class JinjaNamespace: @unchecked Sendable {
    // Belongs to one rendering, which one thread does.
    var members: [String: JinjaValue]

    init(_ members: [String: JinjaValue]) { self.members = members }
}
