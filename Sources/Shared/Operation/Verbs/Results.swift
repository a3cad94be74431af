import Base

/// What verbs that call a server have in common.
extension Invocation {
    /// The operand at a place; what it stands for is said where it is missing.
    package func operand(_ index: Int, _ what: String) throws(UsageError) -> String {
        guard operands.indices.contains(index) else {
            throw .missing(option: what, why: "name it after the verb")
        }
        return operands[index]
    }

    /// Prints one resource: a table of its fields, or a JSON object.
    package func printResult(_ fields: [(String, String)]) {
        guard !wantsJSON else { return printMembers(fields) }
        var table = TextTable("FIELD", "VALUE")
        for (key, value) in fields { table.add(key, value) }
        console.output(table.text)
    }

    /// Prints several resources: a table that people can read, or a JSON object for each.
    package func printResults(_ items: [[(String, String)]], _ table: TextTable) {
        guard wantsJSON else { return console.output(table.text) }
        for item in items { printMembers(item) }
    }

    private func printMembers(_ fields: [(String, String)]) {
        printJSON { json in
            for (key, value) in fields { json.field(key, value) }
        }
    }
}

extension JSONText {
    /// A member whose value came as a text: numbers become numbers.
    package mutating func field(_ key: String, _ value: String) {
        if let number = Int(value) {
            member(key, number)
        } else if value.contains("."), let number = Double(value) {
            member(key, number)
        } else {
            member(key, value)
        }
    }
}
