import Base

/// Writes a safetensors file piece by piece, so that a model need not fit into memory.
///
///     let writer = try TensorFileWriter(layout, at: path)
///     for tensor in layout.tensors {
///         try writer.append(bytes, to: tensor.name)  // or several pieces
///     }
///     try writer.finish()
///
/// Until `finish` returns there is no file at that path, or still the one before; letting go of the
/// writer earlier leaves no trace. Room on the disk is taken at the start.
package final class TensorFileWriter {
    /// What is being written.
    package let layout: TensorFileLayout
    private let name: String
    private let file: UnfinishedFile
    private var turn = TensorTurn()

    /// Begins a file at `path`, in a folder that exists.
    package convenience init(
        _ layout: TensorFileLayout, at path: String
    ) throws(TensorWriteError) {
        let (folderPath, name) = Folder.parts(of: path)
        let folder = try writing(name, Folder(folderPath))
        try self.init(layout, name, in: folder)
    }

    init(_ layout: TensorFileLayout, _ name: String, in folder: Folder) throws(TensorWriteError) {
        (self.layout, self.name) = (layout, name)
        file = try writing(name, UnfinishedFile(name, in: folder))
        try writing(name, file.reserve(layout.fileBytes))
        try writing(name, layout.head.withUnsafeBytes(file.append))
        turn.settle(in: layout)
    }

    /// Whether every tensor has all its bytes.
    var isComplete: Bool { turn.tensor == layout.tensors.count }

    /// Writes the next bytes of a tensor. Tensors come in the order of the layout.
    package func append(
        _ bytes: UnsafeRawBufferPointer, to tensor: String
    ) throws(TensorWriteError) {
        try turn.take(bytes.count, of: tensor, in: layout)
        try writing(name, file.append(bytes))
    }

    /// Waits until all is on the disk and gives the file its name. Called once, as the last thing.
    package func finish() throws(TensorWriteError) {
        guard isComplete else {
            let tensor = layout.tensors[turn.tensor]
            throw .unfinished(
                tensor: tensor.name, bytes: turn.bytes, expected: tensor.range.count)
        }
        try writing(name, file.commit())
    }
}

/// Whose bytes come next.
private struct TensorTurn {
    /// The position of the tensor in the layout; their count after the last one.
    private(set) var tensor = 0
    /// How many bytes it has so far.
    private(set) var bytes = 0

    /// Counts bytes of the tensor called `name`, if it is its turn and they fit.
    mutating func take(
        _ count: Int, of name: String, in layout: TensorFileLayout
    ) throws(TensorWriteError) {
        // An empty tensor never has a turn, and need not.
        guard count > 0 else { return }
        let expected = tensor < layout.tensors.count ? layout.tensors[tensor].name : nil
        guard let expected, ExactName(expected) == ExactName(name) else {
            throw .outOfTurn(tensor: name, expected: expected)
        }
        let bytesMax = layout.tensors[tensor].range.count
        guard count <= bytesMax - bytes else {
            throw .tooManyBytes(tensor: name, bytes: bytes + count, bytesMax: bytesMax)
        }
        bytes += count
        settle(in: layout)
    }

    /// Steps over tensors that have all their bytes.
    mutating func settle(in layout: TensorFileLayout) {
        while tensor < layout.tensors.count, layout.tensors[tensor].range.count == bytes {
            (tensor, bytes) = (tensor + 1, 0)
        }
    }
}
