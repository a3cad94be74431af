import Base
import Digests
import Foundation
import Glibc
import Models
import Numerics
import TensorFiles

/// A checkpoint that is being written, in a folder that nobody sees yet.
struct CheckpointDraft: ~Copyable {
    let folder: String
    private let faultBefore: @Sendable (String) -> SystemError?

    init(folder: String, faultBefore: @escaping @Sendable (String) -> SystemError?) {
        (self.folder, self.faultBefore) = (folder, faultBefore)
    }

    private func announce(_ name: String) throws(CheckpointError) {
        if let fault = faultBefore(name) { throw .unwritable(what: name, fault) }
    }

    func write(_ bytes: Bytes, as name: String) throws(CheckpointError) {
        try announce(name)
        do { try WholeFile.write(bytes, to: folder, as: name) } catch { throw .tensors(error) }
    }

    func write(_ adapter: Adapter, metadata: [String: String]) throws(CheckpointError) {
        try announce(AdapterFiles.tensors)
        do {
            try adapter.write(to: folder, metadata: metadata)
        } catch {
            if case .writing(let error) = error { throw .tensors(error) }
            throw .adapter(error)
        }
    }

    /// Writes a model of which training changed some parameters.
    func write(_ merge: AdapterMerge) throws(CheckpointError) {
        try announce("model.safetensors")
        do {
            try merge.write(to: folder)
        } catch {
            if case .writing(let error) = error { throw .tensors(error) }
            throw .adapter(error)
        }
    }

    func write(_ tensors: [String: Tensor], as name: String) throws(CheckpointError) {
        try announce(name)
        do {
            let layout = try TensorFileLayout(
                try tensors.map { name, tensor in
                    PlannedTensor(name, try tensor.storedType(name), tensor.shape.extents)
                })
            let writer = try TensorFileWriter(layout, at: "\(folder)/\(name)")
            for stored in layout.tensors {
                guard let tensor = tensors[stored.name] else { continue }
                try tensor.bytes().withUnsafeBytes { try writer.append($0, to: stored.name) }
            }
            try writer.finish()
        } catch let error as TensorWriteError {
            throw .tensors(error)
        } catch let error as FormatError {
            throw .unreadable(file: name, why: error.message)
        } catch let error as CheckpointError {
            throw error
        } catch {
            preconditionFailure("checkpoint: \(error)")
        }
    }

    /// Writes the list of all files with their digests, the last of them.
    func finish() throws(CheckpointError) -> [CheckpointFile] {
        var files: [CheckpointFile] = []
        for name in SyncedFolder.names(in: folder) {
            files.append(try CheckpointFile(name, in: folder))
        }
        var json = JSONText()
        json.object { json in
            json.key("files")
            json.array { json in
                for file in files {
                    json.object { json in
                        json.member("name", file.name)
                        json.member("bytes", file.bytes)
                        json.member("sha256", file.sha256)
                    }
                }
            }
        }
        json.newline()
        try write(Bytes(json.utf8), as: CheckpointStore.listing)
        return files
    }
}

extension CheckpointFile {
    /// Reads a file once for its length and digest.
    init(_ name: String, in folder: String) throws(CheckpointError) {
        let file = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw .unreadable(file: name, why: SystemError.last.words)
        }
        defer { close(file) }
        var hash = SHA256()
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(file: name, why: SystemError.last.words) }
            guard count > 0 else { break }
            buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            total += count
        }
        self.init(name: name, bytes: total, sha256: hash.finish().hex)
    }
}

extension Tensor {
    /// The type of files for its elements.
    fileprivate func storedType(_ name: String) throws(CheckpointError) -> StoredType {
        switch type {
        case .float32: return .float32
        case .bfloat16: return .bfloat16
        case .float16: return .float16
        case .int32: return .int32
        case .uint8: return .uint8
        case .int8: return .int8
        }
    }
}
