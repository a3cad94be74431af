import Base

/// How a model is spread over files, decided before anything is written.
///
/// As Hugging Face's libraries do it: tensors go into a file in the order given until the next one
/// would make it too large; one that is too large by itself gets a file of its own.
package struct CheckpointPlan: Sendable {
    /// A file of the checkpoint.
    package struct Shard: Sendable {
        package let name: String
        package let layout: TensorFileLayout
    }

    /// In the order in which they are written. One alone is called `STEM.safetensors`.
    package let shards: [Shard]
    /// How many bytes the tensors of all files take together.
    package let dataBytes: Int
    /// What the names of the files begin with.
    let stem: String
    /// The index; nil where one file holds everything.
    let index: Bytes?

    /// All tensors in the order in which their bytes are written.
    package var tensors: [StoredTensor] { shards.flatMap(\.layout.tensors) }

    /// - Parameters:
    ///   - tensors: in the order in which they should be close to each other
    ///   - shardBytesMax: the most bytes of tensors in a file, unless one tensor has more
    ///   - stem: what the names of the files begin with
    ///   - metadata: free text for every file
    package init(
        _ tensors: [PlannedTensor], shardBytesMax: Int, stem: String = "model",
        metadata: [String: String] = [:]
    ) throws(FormatError) {
        precondition(shardBytesMax > 0, "CheckpointPlan: \(shardBytesMax) bytes in a file")
        precondition(Folder.isPlain(stem), "CheckpointPlan: '\(stem)' is no name of a file")
        try CheckpointPlan.checkNames(tensors)
        let groups = try CheckpointPlan.grouped(tensors, bytesMax: shardBytesMax)
        var (shards, bytes): ([Shard], Int) = ([], 0)
        for (number, group) in groups.enumerated() {
            let name =
                groups.count == 1
                ? CheckpointNames.one(stem)
                : CheckpointNames.shard(stem, number + 1, of: groups.count)
            let layout = try TensorFileLayout(group, metadata: metadata)
            let (sum, overflows) = bytes.addingReportingOverflow(layout.dataBytes)
            guard !overflows else { throw .tooLarge(tensor: group[0].name, shape: group[0].shape) }
            bytes = sum
            shards.append(Shard(name: name, layout: layout))
        }
        (self.shards, self.stem, dataBytes) = (shards, stem, bytes)
        let names = shards.map(\.name)
        index = groups.count == 1 ? nil : CheckpointPlan.index(groups, in: names, bytes: bytes)
    }

    private static func checkNames(_ tensors: [PlannedTensor]) throws(FormatError) {
        var names: Set<ExactName> = []
        for tensor in tensors where !names.insert(ExactName(tensor.name)).inserted {
            throw .duplicate(name: tensor.name)
        }
    }

    private static func grouped(
        _ tensors: [PlannedTensor], bytesMax: Int
    ) throws(FormatError) -> [[PlannedTensor]] {
        var groups: [[PlannedTensor]] = []
        var (current, bytes): ([PlannedTensor], Int) = ([], 0)
        for tensor in tensors {
            let count = try tensor.byteCount()
            guard count <= bytesMax else {
                groups.append([tensor])
                continue
            }
            if count > bytesMax - bytes {
                groups.append(current)
                (current, bytes) = ([], 0)
            }
            current.append(tensor)
            bytes += count
        }
        // A model without tensors is a file too.
        return current.isEmpty && !groups.isEmpty ? groups : groups + [current]
    }

    /// The index as `huggingface_hub` writes it.
    private static func index(
        _ groups: [[PlannedTensor]], in files: [String], bytes: Int
    ) -> Bytes {
        var json = Array("{\n  \"metadata\": {\n    \"total_size\": \(bytes)\n  },\n".utf8)
        json += "  \"weight_map\": {".utf8
        var separator = "\n    "
        for (group, file) in zip(groups, files) {
            for tensor in group {
                json += separator.utf8
                JSONQuoting.appendASCII(tensor.name, to: &json)
                json += ": ".utf8
                JSONQuoting.appendASCII(file, to: &json)
                separator = ",\n    "
            }
        }
        json += "\n  }\n}".utf8
        return json.withUnsafeBytes { Bytes(copying: $0) }
    }
}
