import Base
import Digests
import Foundation
import Glibc
import Messages
import Resources

/// The folder of a model: where it may be, and the digests of what is in it.
struct ModelFolder: Sendable {
    /// Where the folder is, links followed.
    let path: String

    /// Finds a folder below one of the roots that the operator allows.
    ///
    /// - Parameters:
    ///   - directory: an absolute path, or one relative to the first root
    ///   - roots: absolute paths
    init(_ directory: String, below roots: [String]) throws(ResourceError) {
        guard !directory.isEmpty else { throw .required(field: "directory") }
        let wanted = directory.hasPrefix("/") ? directory : "\(roots.first ?? "")/\(directory)"
        let isPlain = !directory.utf8.contains(0) && directory.utf8.count <= 4_096
        let found = isPlain ? Self.resolved(wanted) : nil
        // Whether a folder outside of the roots exists is not told.
        guard let found, roots.compactMap(Self.resolved).contains(where: { found.isWithin($0) })
        else {
            throw .invalid(
                field: "directory", seen: directory,
                allowed: "a directory below one that the server's --models allows")
        }
        path = found
    }

    /// A folder that was found before.
    init(registered path: String) { self.path = path }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        var state = stat()
        guard stat(real, &state) == 0, state.st_mode & S_IFMT == S_IFDIR else { return nil }
        return String(cString: real)
    }

    /// The last part of the path.
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// The files that belong to a model, in order of path; pickled weights are never read.
    func files() throws(TrainerError) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let kept = all.filter { file in
            [".json", ".safetensors", ".jinja", ".model", ".txt", ".tiktoken"].contains {
                file.hasSuffix($0)
            }
        }
        guard kept.count <= TrainerLimits.modelFilesMax else {
            throw .modelUnsupported(
                why: "\(kept.count) files; at most \(TrainerLimits.modelFilesMax) are allowed")
        }
        return kept.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Whether there are weights in a form that is not read.
    func hasPickledWeights() -> Bool {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return all.contains { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }
    }

    /// Reads a file from end to end.
    func digested(_ file: String) throws(TrainerError) -> ModelFile {
        let descriptor = open("\(path)/\(file)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .modelUnsupported(why: "\(file) cannot be read (\(SystemError.last.words))")
        }
        defer { close(descriptor) }
        var hash = SHA256()
        var size = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw .modelUnsupported(why: "\(file) cannot be read (\(SystemError.last.words))")
            }
            guard count > 0 else { break }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            size += count
        }
        var result = ModelFile()
        (result.path, result.sizeBytes) = (file, UInt64(size))
        result.contentSha256 = hash.finish().hex
        return result
    }

    /// The licence that the model card states; empty if none does.
    func licence() -> String {
        guard case .success(let bytes) = SmallFile.read("\(path)/README.md", bytesMax: 1 << 20),
            let text = bytes.text
        else { return "" }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first == "---" else { return "" }
        let head = lines.dropFirst().prefix { $0 != "---" }
        let line = head.first { $0.hasPrefix("license:") }
        let stated = line?.dropFirst("license:".count).trimmingCharacters(in: .whitespaces)
        return String((stated ?? "").prefix(200))
    }
}

extension [ModelFile] {
    /// The digest of all of them: that of the file where it is one, else of a line for each.
    var digest: String {
        guard count > 1 else { return first?.contentSha256 ?? "" }
        let lines = map { "\($0.contentSha256)  \($0.path)\n" }.joined()
        return Bytes(lines).withUnsafeBytes { SHA256.digest($0) }.hex
    }
}

extension String {
    /// Whether it is a folder or something in it.
    fileprivate func isWithin(_ folder: String) -> Bool {
        self == folder || hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
    }
}
