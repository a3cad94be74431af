import Foundation

/// Rules that look at the lines of one file of any language.
enum TextRules {
    static func longFile(_ file: SourceFile) -> [Finding] {
        // The text after the last line end is not a line.
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        guard file.isHandWrittenCode, count > Layout.linesMax else { return [] }
        return [file.finding(count, "\(count) lines; at most \(Layout.linesMax): split it")]
    }

    static func longLines(_ file: SourceFile) -> [Finding] {
        guard file.isHandWrittenCode else { return [] }
        return numbered(file).compactMap { number, line in
            // Bytes bound the count of characters and are quicker to count.
            guard line.utf8.count > Layout.columnsMax, line.count > Layout.columnsMax else {
                return nil
            }
            return file.finding(number, "\(line.count) columns; at most \(Layout.columnsMax)")
        }
    }

    static func largeFile(_ file: SourceFile) -> [Finding] {
        guard file.byteCount > Layout.bytesMax, !Layout.mayBeLarge(file.path) else { return [] }
        return [file.finding(1, "\(file.byteCount) bytes; at most \(Layout.bytesMax)")]
    }

    /// Work that is put off has an issue: the word is followed by a number such as `(#12)`.
    static func untrackedWork(_ file: SourceFile) -> [Finding] {
        guard file.isHandWrittenCode else { return [] }
        let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]
        return numbered(file).compactMap { number, line in
            guard let word = words.first(where: { contains($0, in: line) }),
                !line.contains("(#")
            else { return nil }
            return file.finding(number, "\(word) needs an issue: \(word) (#12)")
        }
    }

    static func mergeMarkers(_ file: SourceFile) -> [Finding] {
        let markers = ["<", ">", "|"].map { String(repeating: $0, count: 7) + " " }
        return numbered(file).compactMap { number, line in
            guard markers.contains(where: { line.hasPrefix($0) }) else { return nil }
            return file.finding(number, "a merge was not finished here")
        }
    }

    /// No path of one person's machine.
    static func machinePaths(_ file: SourceFile) -> [Finding] {
        guard !Layout.isGenerated(file.path), !Layout.isCopied(file.path) else { return [] }
        let folders = ["work", "root", "home"].map { "/" + $0 + "/" }
        return numbered(file).compactMap { number, line in
            guard let folder = folders.first(where: { isPath($0, in: line) }) else { return nil }
            return file.finding(number, "\(folder) exists on one machine only")
        }
    }

    /// Whether a path that begins with `folder` stands in a line, rather than the middle of one.
    private static func isPath(_ folder: String, in line: String) -> Bool {
        guard line.utf8.contains(UInt8(ascii: "/")) else { return false }
        return line.ranges(of: folder).contains { range in
            guard let before = line[..<range.lowerBound].last else { return true }
            return !(before.isLetter || before.isNumber || "._-})$*/".contains(before))
        }
    }

    /// Whether `word` stands alone in a line.
    private static func contains(_ word: String, in line: String) -> Bool {
        guard let range = line.firstRange(of: word) else { return false }
        let isPart = { (letter: Character?) in letter?.isLetter ?? false }
        return !isPart(line[..<range.lowerBound].last) && !isPart(line[range.upperBound...].first)
    }

    private static func numbered(_ file: SourceFile) -> [(number: Int, line: String)] {
        file.lines.enumerated().map { ($0.offset + 1, $0.element) }
    }
}

/// Rules for the other languages: C, shell and Python.
enum OtherLanguageRules {
    static func longFunctions(_ file: SourceFile) -> [Finding] {
        let functions: [(name: String, first: Int, last: Int)] =
            switch file.kind {
            case .c: cFunctions(file)
            case .shell: shellFunctions(file)
            case .python: pythonFunctions(file)
            default: []
            }
        return functions.compactMap { name, first, last in
            let count = last - first + 1
            guard file.isHandWrittenCode, count > Layout.functionLinesMax else { return nil }
            return file.finding(
                first, "\(name) has \(count) lines; at most \(Layout.functionLinesMax)")
        }
    }

    /// Outermost braces that follow a parenthesis.
    private static func cFunctions(_ file: SourceFile) -> [(name: String, first: Int, last: Int)] {
        let tokens = Lexer(file).tokens
        var functions: [(name: String, first: Int, last: Int)] = []
        var opened: Int?
        var depth = 0
        for index in tokens.indices {
            switch tokens[index].text {
            case "{":
                if depth == 0, index > 0, tokens[index - 1].text == ")" { opened = index }
                depth += 1
            case "}":
                depth -= 1
                if depth == 0, let first = opened {
                    functions.append(("function", tokens[first].line, tokens[index].line))
                    opened = nil
                }
            default: break
            }
        }
        return functions
    }

    /// From `name() {` to the `}` in the first column.
    private static func shellFunctions(
        _ file: SourceFile
    ) -> [(name: String, first: Int, last: Int)] {
        var functions: [(name: String, first: Int, last: Int)] = []
        var opened: (name: String, line: Int)?
        for (index, line) in file.lines.enumerated() {
            if line.hasSuffix("() {") { opened = (line, index + 1) }
            if line == "}", let (name, first) = opened {
                functions.append((name, first, index + 1))
                opened = nil
            }
        }
        return functions
    }

    /// From `def` to the last line that is indented deeper.
    private static func pythonFunctions(
        _ file: SourceFile
    ) -> [(name: String, first: Int, last: Int)] {
        file.lines.indices.compactMap { first in
            let line = file.lines[first]
            let text = line.drop { $0 == " " }
            guard text.hasPrefix("def ") || text.hasPrefix("async def ") else { return nil }
            let indent = line.count - text.count
            let body = file.lines[(first + 1)...].prefix { below in
                let code = below.drop { $0 == " " }
                return code.isEmpty || code.hasPrefix(")") || below.count - code.count > indent
            }
            let last = body.lastIndex { !$0.isEmpty } ?? first
            return (String(text.prefix { $0 != "(" }), first + 1, last + 1)
        }
    }

    /// A script can be run as it is, and stops at the first thing that goes wrong.
    static func carelessScripts(_ file: SourceFile) -> [Finding] {
        guard let first = file.lines.first, first.hasPrefix("#!") || file.name.hasSuffix(".sh")
        else { return [] }
        var findings: [Finding] = []
        if !first.hasPrefix("#!") { findings.append(file.finding(1, "no #! line")) }
        if !file.isExecutable { findings.append(file.finding(1, "not executable: chmod +x")) }
        let strict = first.contains("bash") ? "set -euo pipefail" : "set -eu"
        let code = file.lines.first { !$0.hasPrefix("#") && !$0.isEmpty }
        if file.kind == .shell, code?.hasPrefix(strict) != true {
            findings.append(file.finding(1, "does not begin with \(strict)"))
        }
        return findings
    }
}
