import Base

/// A safetensors file, open for reading.
///
/// The file is mapped, not read: opening touches the header alone. It must not shrink while this
/// value or a tensor of it is alive, because touching bytes that are gone ends the program; its
/// length is checked once, when it is opened.
package struct TensorFile: Sendable {
    /// Its name in its folder.
    package let name: String
    /// What the file says about itself.
    package let header: TensorFileHeader
    private let file: MappedFile

    /// Opens a file; a symbolic link at `path` is followed.
    package init(path: String) throws(TensorFileError) {
        let (folderPath, name) = Folder.parts(of: path)
        let folder = try reading(name, Folder(folderPath))
        try self.init(name, in: folder)
    }

    init(_ name: String, in folder: Folder) throws(TensorFileError) {
        let file = try MappedFile(name, in: folder)
        header = try file.parse { (bytes) throws(FormatError) in
            try TensorFileHeader(readingFile: bytes)
        }
        (self.name, self.file) = (name, file)
    }

    /// The tensors in the order of their bytes.
    package var tensors: [StoredTensor] { header.tensors }

    /// Free text by name.
    package var metadata: [String: String] { header.metadata }

    /// The tensor of that name.
    package func tensor(named name: String) throws(TensorFileError) -> MappedTensor {
        guard let stored = header[name] else { throw .noTensor(name: name) }
        return MappedTensor(stored, in: file, from: header.dataStart)
    }
}

/// A tensor of an open file; keeps the file open.
package struct MappedTensor: Sendable {
    /// Its entry in the header.
    package let stored: StoredTensor
    private let file: MappedFile
    private let range: Range<Int>

    init(_ stored: StoredTensor, in file: MappedFile, from dataStart: Int) {
        (self.stored, self.file) = (stored, file)
        range = stored.range.lowerBound + dataStart..<stored.range.upperBound + dataStart
    }

    /// Calls `body` with the bytes, which need not be aligned; the pointer is valid only during the
    /// call.
    package func withBytes<R, E>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try file.withBytes { (bytes) throws(E) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }
}
