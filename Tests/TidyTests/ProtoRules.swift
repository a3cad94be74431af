/// Rules for the public contract.
enum ProtoRules {
    /// Everything that the contract declares has a comment above it or at the end of its line.
    static func undocumented(_ file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("proto/fovea/") else { return [] }
        var findings: [Finding] = []
        var startsStatement = true
        for (index, line) in file.lines.enumerated() {
            let (code, comment) = (split(line).code, split(line).comment)
            guard !code.isEmpty else { continue }
            if startsStatement, let name = declaredName(code), comment.isEmpty,
                index == 0 || !split(file.lines[index - 1]).isCommentOnly
            {
                findings.append(file.finding(index + 1, "\(name) needs a comment"))
            }
            startsStatement = code.hasSuffix("{") || code.hasSuffix("}") || code.hasSuffix(";")
        }
        return findings
    }

    /// Splits a line into what stands before and after `//`.
    private static func split(_ line: String) -> Line {
        let start = line.firstRange(of: "//")?.lowerBound ?? line.endIndex
        return Line(code: trim(line[..<start]), comment: trim(line[start...]))
    }

    private struct Line {
        let code: String
        let comment: String
        /// Longer than `//`, so that an empty comment is none.
        var isCommentOnly: Bool { code.isEmpty && comment.count > 2 }
    }

    private static func trim(_ text: Substring) -> String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let start = text.drop(while: isBlank)
        return String(start.reversed().drop(while: isBlank).reversed())
    }

    /// What a statement declares; nil for `option`, `reserved`, `}` and the like.
    private static func declaredName(_ code: String) -> String? {
        let words = code.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
        switch words.first {
        case "message", "enum", "service", "rpc", "oneof", "extend":
            return words.dropFirst().first.map(String.init)
        case "syntax", "package", "import", "option", "reserved", "extensions", nil: return nil
        default:
            guard let equals = code.firstIndex(of: "=") else { return nil }
            return trim(code[..<equals]).split(separator: " ").last.map(String.init)
        }
    }

    /// Every generated C file has its proto, and every proto its C files.
    static func strayMessages(_ paths: [String]) -> [Finding] {
        let folder = "Sources/Shared/CMessages/"
        let protos = Set(
            paths.filter { $0.hasPrefix("proto/") && $0.hasSuffix(".proto") }
                .map { String($0.dropFirst("proto/".count).dropLast(".proto".count)) })
        var generated: Set<String> = []
        var findings: [Finding] = []
        for path in paths where path.hasPrefix(folder) {
            guard let stem = stem(of: path.dropFirst(folder.count)) else { continue }
            generated.insert(stem)
            // protoc ships the well-known types.
            if !protos.contains(stem), !stem.hasPrefix("google/protobuf/") {
                findings.append(
                    Finding(path: path, line: 1, message: "there is no proto/\(stem).proto"))
            }
        }
        guard !generated.isEmpty else { return findings }
        for proto in protos.subtracting(generated).sorted() {
            findings.append(
                Finding(path: "proto/\(proto).proto", line: 1, message: "has no generated C code"))
        }
        return findings
    }

    /// `fovea/dataset/v1/dataset` of `include/fovea/dataset/v1/dataset.pb-c.h`.
    private static func stem(of path: Substring) -> String? {
        let path = path.hasPrefix("include/") ? path.dropFirst("include/".count) : path
        for ending in [".pb-c.c", ".pb-c.h"] where path.hasSuffix(ending) {
            return String(path.dropLast(ending.count))
        }
        return nil
    }
}
