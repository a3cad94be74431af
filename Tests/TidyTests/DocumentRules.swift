import Foundation

/// Rules for what people read.
enum DocumentRules {
    /// Every relative link leads to a file, and to a heading of it where it names one.
    static func deadLinks(in files: [SourceFile]) -> [Finding] {
        let documents = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0) })
        var folders: Set<String> = []
        for file in files {
            var parts = file.path.split(separator: "/").dropLast()
            while !parts.isEmpty {
                folders.insert(parts.joined(separator: "/"))
                parts = parts.dropLast()
            }
        }
        return files.filter { $0.kind == .markdown }.flatMap { file in
            links(in: file).compactMap { line, target in
                guard !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
                let parts = target.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let path = parts[0].isEmpty ? file.path : resolve(String(parts[0]), from: file.path)
                guard documents[path] != nil || folders.contains(path) else {
                    return file.finding(line, "\(target): there is no \(path)")
                }
                guard parts.count == 2, let document = documents[path],
                    document.kind == .markdown, !anchors(of: document).contains(String(parts[1]))
                else { return nil }
                return file.finding(line, "\(target): \(path) has no such heading")
            }
        }
    }

    /// The targets of `[text](target)` outside code.
    private static func links(in file: SourceFile) -> [(line: Int, target: String)] {
        prose(of: file).flatMap { number, line in
            line.ranges(of: "](").compactMap { range in
                let rest = line[range.upperBound...]
                guard let end = rest.firstIndex(of: ")") else { return nil }
                return (number, String(rest[..<end].prefix { $0 != " " }))
            }
        }
    }

    /// The lines outside fenced code, without their code spans.
    private static func prose(of file: SourceFile) -> [(number: Int, line: String)] {
        var isCode = false
        return file.lines.enumerated().compactMap { index, line in
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
                return nil
            }
            guard !isCode else { return nil }
            let parts = line.split(separator: "`", omittingEmptySubsequences: false)
            let text = parts.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
            return (index + 1, text.joined(separator: "`"))
        }
    }

    /// What `#...` may name: headings in lower case, spaces as hyphens, without punctuation.
    private static func anchors(of file: SourceFile) -> Set<String> {
        var isCode = false
        var anchors: Set<String> = []
        for line in file.lines {
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode, line.hasPrefix("#") else { continue }
            let heading = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
            let kept = heading.filter {
                $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_"
            }
            anchors.insert(kept.replacing(" ", with: "-"))
        }
        return anchors
    }

    private static func resolve(_ target: String, from path: String) -> String {
        var parts = target.hasPrefix("/") ? [] : path.split(separator: "/").dropLast()
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Decisions are numbered without gaps, have the three parts, and stand in the index.
    static func decisions(in files: [SourceFile]) -> [Finding] {
        let folder = "docs/decisions/"
        let index = files.first { $0.path == folder + "README.md" }
        let decisions = files.filter { $0.path.hasPrefix(folder) && $0.name != "README.md" }
            .sorted { $0.path < $1.path }
        return decisions.enumerated().flatMap { position, file in
            var messages: [String] = []
            let number = String(format: "%04d-", position + 1)
            if !file.name.hasPrefix(number) { messages.append("should be numbered \(number)") }
            for part in ["## Context", "## Choice", "## Consequences"]
            where !file.lines.contains(part) {
                messages.append("has no '\(part)'")
            }
            if index?.lines.contains(where: { $0.contains("](\(file.name))") }) != true {
                messages.append("is not in \(folder)README.md")
            }
            return messages.map { file.finding(1, $0) }
        }
    }

    /// No folder or file is named so that anything fits into it.
    static func emptyFolders(_ file: SourceFile) -> [Finding] {
        let parts = file.path.split(separator: "/")
        guard parts[0] == "Sources" || parts[0] == "Tests" else { return [] }
        return parts.compactMap { part in
            let name = String(part.prefix { $0 != "." })
            guard Layout.emptyFolders.contains(name) else { return nil }
            return file.finding(1, "'\(name)' says nothing; name what is in it")
        }
    }

    /// `.gitignore` holds plain names only, because the walk over the repository knows no others.
    static func ignorePatterns(_ file: SourceFile) -> [Finding] {
        guard file.path == ".gitignore" else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            let name = line.hasSuffix("/") ? String(line.dropLast()) : line
            guard !line.hasPrefix("#"), name.contains("/") || name.hasPrefix("!") else {
                return nil
            }
            return file.finding(index + 1, "only plain names, so that Tidy skips the same files")
        }
    }
}
