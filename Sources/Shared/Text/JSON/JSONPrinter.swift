extension JSONNode {
    /// The value as text again, indented by two blanks: numbers and strings as they were written.
    /// - Parameter omitted: members of the outermost object that are left out
    package func printed(omitting omitted: Set<String> = []) -> [UInt8] {
        var printer = JSONPrinter()
        printer.print(self, omitting: omitted)
        return printer.utf8 + "\n".utf8
    }
}

/// Writes values of a document, line by line.
private struct JSONPrinter {
    private(set) var utf8: [UInt8] = []
    private var depth = 0

    mutating func print(_ node: JSONNode, omitting omitted: Set<String> = []) {
        if node.isObject {
            let members = node.members.filter { !omitted.contains($0.key.string ?? "") }
            list("{", "}", members) { printer, member in
                printer.print(member.key)
                printer.utf8 += ": ".utf8
                printer.print(member.value)
            }
        } else if node.isArray {
            list("[", "]", Array(node.elements)) { $0.print($1) }
        } else {
            utf8 += node.text
        }
    }

    private mutating func list<Element>(
        _ open: String, _ close: String, _ elements: [Element],
        _ write: (inout JSONPrinter, Element) -> Void
    ) {
        utf8 += open.utf8
        depth += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { utf8.append(UInt8(ascii: ",")) }
            breakLine()
            write(&self, element)
        }
        depth -= 1
        if !elements.isEmpty { breakLine() }
        utf8 += close.utf8
    }

    private mutating func breakLine() {
        utf8.append(UInt8(ascii: "\n"))
        utf8 += Array(repeating: UInt8(ascii: " "), count: 2 * depth)
    }
}

extension JSONNode {
    /// A value without others in it, as it was written.
    fileprivate var text: [UInt8] {
        let node = document.nodes[index]
        let slice = document.bytes[Int(node.start)..<Int(node.end)]
        let quote = [UInt8(ascii: "\"")]
        return node.kind == .string ? quote + slice + quote : Array(slice)
    }
}
