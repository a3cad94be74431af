import Base

/// Writes a checkpoint of one file or several, piece by piece like `TensorFileWriter`.
///
/// The index comes last, so a checkpoint is readable as a whole or not at all. A folder that holds
/// one already is refused: several files cannot be replaced in one step. Letting go of the writer
/// before `finish` removes what it has written.
package final class CheckpointWriter {
    /// What is being written; `plan.tensors` is the order of the bytes.
    package let plan: CheckpointPlan
    private let folder: Folder
    private var writer: TensorFileWriter
    /// The shard that `writer` writes.
    private var current = 0
    /// The files that have their names, or were about to get them.
    private var written: [String] = []
    private var isFinished = false

    /// Begins a checkpoint in the folder at `path`, which exists.
    package init(_ plan: CheckpointPlan, folder path: String) throws(TensorWriteError) {
        let folder = try writing(Folder.name(of: path), Folder(path))
        for name in [CheckpointNames.one(plan.stem), CheckpointNames.index(plan.stem)] {
            try CheckpointWriter.checkFree(name, in: folder)
        }
        (self.plan, self.folder) = (plan, folder)
        writer = try TensorFileWriter(plan.shards[0].layout, plan.shards[0].name, in: folder)
    }

    deinit {
        guard !isFinished else { return }
        // There is nobody to tell, and nothing else to try.
        for name in written { try? folder.remove(name) }
    }

    /// Writes the next bytes of a tensor. Tensors come in the order of `plan.tensors`.
    package func append(
        _ bytes: UnsafeRawBufferPointer, to tensor: String
    ) throws(TensorWriteError) {
        guard !bytes.isEmpty else { return }
        try skipCompleteShards()
        try writer.append(bytes, to: tensor)
    }

    /// Waits until all is on the disk, the index last. Called once, as the last thing.
    package func finish() throws(TensorWriteError) {
        try skipCompleteShards()
        try finishShard()
        if let index = plan.index {
            let name = CheckpointNames.index(plan.stem)
            written.append(name)
            try WholeFile.write(index, as: name, in: folder)
        }
        isFinished = true
    }

    /// Moves on to the next shard that lacks bytes, or to the last one.
    private func skipCompleteShards() throws(TensorWriteError) {
        while writer.isComplete, current + 1 < plan.shards.count {
            try finishShard()
            current += 1
            let shard = plan.shards[current]
            writer = try TensorFileWriter(shard.layout, shard.name, in: folder)
        }
    }

    private func finishShard() throws(TensorWriteError) {
        // It may have its name although the last step failed.
        written.append(plan.shards[current].name)
        try writer.finish()
    }

    private static func checkFree(_ name: String, in folder: Folder) throws(TensorWriteError) {
        guard try !writing(name, folder.contains(name)) else {
            throw .occupied(file: name)
        }
    }
}
