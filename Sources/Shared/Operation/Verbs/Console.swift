import Base
import Glibc

/// Where a verb writes: results to standard output, everything else to standard error.
package struct Console: Sendable {
    /// Writes results as they are.
    package let output: @Sendable (String) -> Void
    /// Writes one line for the person at the keyboard.
    package let complain: @Sendable (String) -> Void
    /// Whether a person sees standard error, so that progress is worth showing.
    package let isErrorTerminal: Bool

    package init(
        output: @escaping @Sendable (String) -> Void,
        complain: @escaping @Sendable (String) -> Void, isErrorTerminal: Bool
    ) {
        (self.output, self.complain) = (output, complain)
        self.isErrorTerminal = isErrorTerminal
    }

    /// The standard streams of this process.
    package static func standard() -> Console {
        Console(
            output: { write($0, to: STDOUT_FILENO) },
            complain: { write(oneLine($0) + "\n", to: STDERR_FILENO) },
            isErrorTerminal: isatty(STDERR_FILENO) == 1)
    }

    /// The text without control characters: part of it may come from a peer or a file.
    static func oneLine(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let base = rest.baseAddress, !rest.isEmpty {
                let count = Glibc.write(descriptor, base, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if count >= 0 || errno != EINTR {
                    return
                }
            }
        }
    }
}

/// Rows of words in aligned columns, for people.
package struct TextTable: Sendable {
    private var rows: [[String]]

    /// - Parameter header: the names of the columns
    package init(_ header: String...) { rows = [header] }

    /// - Parameter columns: their names, where their number is not known beforehand
    package init(columns: [String]) { rows = [columns] }

    /// Appends a row, with a word for each column.
    package mutating func add(_ row: String...) { add(row: row) }

    /// The same with the words of a row in an array.
    package mutating func add(row: [String]) {
        precondition(row.count == rows[0].count, "TextTable: \(row) for columns \(rows[0])")
        rows.append(row)
    }

    /// The table with a newline after each row; no spaces at line ends, no control characters.
    package var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (word, width) in zip(row.dropLast(), widths) {
                let padding = String(repeating: " ", count: width - word.count + 2)
                line += Console.oneLine(word) + padding
            }
            return line + Console.oneLine(row.last ?? "") + "\n"
        }
        .joined()
    }
}
