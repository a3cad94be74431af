package import Base

/// Files that are written in one piece beside tensors: configurations, indices.
package enum WholeFile {
    /// Writes a file so that it has its name only once it is complete and on the disk; what had
    /// the name before is replaced.
    /// - Parameters:
    ///   - folder: exists
    ///   - name: of a file in it, without separators
    package static func write(
        _ bytes: Bytes, to folder: String, as name: String
    ) throws(TensorWriteError) {
        try write(bytes, as: name, in: try writing(name, Folder(folder)))
    }

    static func write(
        _ bytes: Bytes, as name: String, in folder: Folder
    ) throws(TensorWriteError) {
        let file = try writing(name, UnfinishedFile(name, in: folder))
        try writing(name, bytes.withUnsafeBytes(file.append))
        try writing(name, file.commit())
    }
}
