import Foundation

/// A place in the repository that breaks a rule.
struct Finding: CustomStringConvertible, Hashable {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// A file of the repository, with its text where it is a text file.
struct SourceFile: Sendable {
    enum Kind: Sendable {
        case swift, c, proto, shell, python, make, markdown, otherText, binary
    }

    /// Relative to the root, such as `Sources/Shared/Base/Bytes.swift`.
    let path: String
    let kind: Kind
    let byteCount: Int
    let isExecutable: Bool
    /// Without line ends. Empty for binary and generated files.
    let lines: [String]

    /// A file in memory, for tests of the rules.
    init(_ path: String, _ text: String, isExecutable: Bool = false) {
        self.path = path
        kind = Self.kind(of: path, text)
        byteCount = text.utf8.count
        self.isExecutable = isExecutable
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// A file on disk.
    init(_ path: String, in root: URL) throws {
        let url = root.appending(path: path)
        let content = try Data(contentsOf: url)
        let isText = !content.prefix(4096).contains(0)
        let text =
            isText && !Layout.isGenerated(path) ? String(decoding: content, as: UTF8.self) : ""
        self.path = path
        kind = isText ? Self.kind(of: path, text) : .binary
        byteCount = content.count
        isExecutable = FileManager.default.isExecutableFile(atPath: url.path)
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Whether a person wrote it in a programming language.
    var isHandWrittenCode: Bool {
        guard !Layout.isGenerated(path), !Layout.isCopied(path) else { return false }
        return switch kind {
        case .swift, .c, .proto, .shell, .python, .make: true
        case .markdown, .otherText, .binary: false
        }
    }

    /// The name of the file in its folder.
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// A finding at a line, counted from 1.
    func finding(_ line: Int, _ message: String) -> Finding {
        Finding(path: path, line: line, message: message)
    }

    private static func kind(of path: String, _ text: String) -> Kind {
        let name = path.split(separator: "/").last ?? ""
        return switch name.split(separator: ".").last {
        case _ where text.hasPrefix("#!/usr/bin/env bash") || text.hasPrefix("#!/bin/"): .shell
        case _ where text.hasPrefix("#!/usr/bin/env python"): .python
        case "swift": .swift
        case "c", "h", "cc", "cpp", "hpp", "inc", "modulemap": .c
        case "proto": .proto
        case "sh": .shell
        case "py": .python
        case "Makefile", "mk": .make
        case "md": .markdown
        default: .otherText
        }
    }
}

/// Every file of the repository that git would keep.
enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Read once, in order of path.
    static let files: [SourceFile] = {
        do {
            return try walk("", skipping: ignored()).map { try SourceFile($0, in: root) }
        } catch {
            preconditionFailure("Tidy cannot read the repository: \(error)")
        }
    }()

    /// The name patterns of `.gitignore`. It has no other kind of line: a rule checks that.
    private static func ignored() throws -> [String] {
        let text = try String(contentsOf: root.appending(path: ".gitignore"), encoding: .utf8)
        let names = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return [".git"] + names.map { $0.hasSuffix("/") ? String($0.dropLast()) : String($0) }
    }

    private static func walk(_ folder: String, skipping ignored: [String]) throws -> [String] {
        var paths: [String] = []
        let manager = FileManager.default
        for name in try manager.contentsOfDirectory(atPath: root.appending(path: folder).path)
            .sorted()
        where !ignored.contains(where: { fnmatch($0, name, 0) == 0 }) {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            var isFolder: ObjCBool = false
            let exists = manager.fileExists(
                atPath: root.appending(path: path).path, isDirectory: &isFolder)
            if exists, isFolder.boolValue {
                paths += try walk(path, skipping: ignored)
            } else if exists {
                paths.append(path)
            }
        }
        return paths
    }
}
