import Foundation

@testable import TensorFiles

/// The bytes of files, good and bad.
enum RawFile {
    /// A file with this header and `dataBytes` bytes behind it that count up.
    static func bytes(_ json: String, dataBytes: Int = 0) -> [UInt8] {
        bytes(Array(json.utf8), dataBytes: dataBytes)
    }

    static func bytes(_ json: [UInt8], dataBytes: Int = 0) -> [UInt8] {
        length(UInt64(json.count)) + json + counting(dataBytes)
    }

    /// The eight bytes before a header.
    static func length(_ length: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    }

    /// An entry of a header.
    static func entry(
        _ name: String, _ type: String = "U8", shape: String = "[4]", offsets: String = "[0,4]"
    ) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    /// A file with these tensors, its bytes counting up.
    static func bytes(
        of tensors: [PlannedTensor], metadata: [String: String] = [:]
    ) throws -> [UInt8] {
        let layout = try TensorFileLayout(tensors, metadata: metadata)
        return Array(layout.head) + counting(layout.dataBytes)
    }

    /// Bytes that count up.
    static func counting(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    }
}

extension TensorFileHeader {
    /// Reads a file in memory.
    init(_ file: [UInt8]) throws(FormatError) {
        // Array's own method does not keep the type of the error.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: file.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: file)
        try self.init(readingFile: UnsafeRawBufferPointer(copy))
    }
}

/// A folder that lives as long as the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        let name = "fovea-tensor-files-\(UUID().uuidString)"
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Everything in it, hidden files too.
    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }

    subscript(name: String) -> String { "\(path)/\(name)" }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self[name]))
    }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: self[name])))
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: self[name], withDestinationPath: target)
    }

    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: self[name], withIntermediateDirectories: false)
    }
}

extension MappedTensor {
    /// A copy of the bytes.
    var bytes: [UInt8] { withBytes { Array($0) } }
}

extension TensorFileWriter {
    /// Writes an array.
    func append(_ bytes: [UInt8], to tensor: String) throws(TensorWriteError) {
        var failure: TensorWriteError?
        bytes.withUnsafeBytes { bytes in
            do throws(TensorWriteError) { try append(bytes, to: tensor) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

extension CheckpointWriter {
    /// Writes an array.
    func append(_ bytes: [UInt8], to tensor: String) throws(TensorWriteError) {
        var failure: TensorWriteError?
        bytes.withUnsafeBytes { bytes in
            do throws(TensorWriteError) { try append(bytes, to: tensor) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
