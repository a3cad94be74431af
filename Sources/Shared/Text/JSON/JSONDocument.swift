/// A JSON text, kept as it came, with an index of its values.
///
/// Tokenizer files hold hundreds of thousands of short strings; here none of them costs an
/// allocation until it is asked for. Values keep the order of the file.
package struct JSONDocument: Sendable {
    let bytes: [UInt8]
    let nodes: [Node]

    /// Where a value stands in the text.
    struct Node: Sendable {
        let kind: Kind
        /// Whether a string has escapes.
        var isEscaped = false
        /// The text of the value; for strings without the quotes.
        let start: UInt32
        var end: UInt32 = 0
        /// The node after this one and all that is in it.
        var next: UInt32 = 0
        /// Elements of an array, members of an object.
        var count: UInt32 = 0
    }

    enum Kind: UInt8, Sendable { case null, truth, lie, number, string, array, object }

    /// Indexes `bytes`.
    ///
    /// - Parameter depthMax: how many arrays and objects may enclose a value
    package init(_ bytes: some Sequence<UInt8>, depthMax: Int = 128) throws(JSONError) {
        var parser = JSONParser(
            bytes: bytes.withContiguousStorageIfAvailable { Array($0) } ?? Array(bytes),
            depthMax: depthMax)
        try parser.parse()
        (self.bytes, nodes) = (parser.bytes, parser.nodes)
    }

    /// The outermost value.
    package var root: JSONNode { JSONNode(document: self, index: 0) }
}

/// Why a text is not JSON.
package struct JSONError: Error, Hashable {
    /// Where reading stopped.
    package let offset: Int
    package let why: String
}

/// One value of a JSON document.
package struct JSONNode: Sendable {
    let document: JSONDocument
    let index: Int

    private var node: JSONDocument.Node { document.nodes[index] }

    /// Whether it is `null`.
    package var isNull: Bool { node.kind == .null }
    /// Whether it is a string.
    package var isString: Bool { node.kind == .string }
    /// Whether it is an array.
    package var isArray: Bool { node.kind == .array }
    /// Whether it is an object.
    package var isObject: Bool { node.kind == .object }

    /// The truth value; nil if it is none.
    package var bool: Bool? {
        switch node.kind {
        case .truth: true
        case .lie: false
        default: nil
        }
    }

    /// The number as written, if it is a whole one that fits.
    package var int: Int? { node.kind == .number ? Int(raw) : nil }

    /// The number; nil if it is none.
    package var double: Double? { node.kind == .number ? Double(raw) : nil }

    /// The string; nil if it is none.
    package var string: String? {
        node.kind == .string ? String(decoding: stringBytes, as: UTF8.self) : nil
    }

    /// The UTF-8 of a string; empty for other values.
    package var stringBytes: [UInt8] {
        guard node.kind == .string else { return [] }
        let slice = document.bytes[Int(node.start)..<Int(node.end)]
        return node.isEscaped ? JSONParser.unescape(slice) : Array(slice)
    }

    /// The value as it is written.
    package var source: String { node.kind == .string ? "\"\(raw)\"" : raw }

    /// The kind and the beginning of the value, for messages.
    package var sample: String {
        switch node.kind {
        case .null: "null"
        case .truth, .lie, .number: String(raw.prefix(40))
        case .string: "\"\(string?.prefix(40) ?? "")\""
        case .array: "an array of \(node.count)"
        case .object: "an object of \(node.count)"
        }
    }

    /// How many elements or members there are.
    package var count: Int { Int(node.count) }

    /// The elements of an array, in order; none for other values.
    package var elements: JSONElements {
        JSONElements(document, index, count: node.kind == .array ? count : 0)
    }

    /// The members of an object, in order; none for other values.
    package var members: JSONMembers {
        JSONMembers(JSONElements(document, index, count: node.kind == .object ? count * 2 : 0))
    }

    /// The member of this name; the last one if there are several, nil if there is none.
    package subscript(_ name: String) -> JSONNode? {
        var found: JSONNode?
        for (key, value) in members where key.string == name { found = value }
        return found
    }

    private var raw: String {
        String(decoding: document.bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }
}

/// The values directly within another one.
package struct JSONElements: Sequence, IteratorProtocol {
    private let document: JSONDocument
    private var index: Int
    private var left: Int

    init(_ document: JSONDocument, _ container: Int, count: Int) {
        (self.document, index, left) = (document, container + 1, count)
    }

    package mutating func next() -> JSONNode? {
        guard left > 0 else { return nil }
        defer {
            index = Int(document.nodes[index].next)
            left -= 1
        }
        return JSONNode(document: document, index: index)
    }
}

/// The members of an object.
package struct JSONMembers: Sequence, IteratorProtocol {
    private var nodes: JSONElements

    init(_ nodes: JSONElements) { self.nodes = nodes }

    package mutating func next() -> (key: JSONNode, value: JSONNode)? {
        guard let key = nodes.next(), let value = nodes.next() else { return nil }
        return (key, value)
    }
}
