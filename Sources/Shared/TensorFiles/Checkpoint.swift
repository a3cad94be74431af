import Base
import Glibc

/// The tensors of a model, in one file or in several with an index, as Hugging Face lays them out.
///
/// Every file is opened at once. That costs a read of each header and no more, and what is missing
/// or damaged shows before any work is done rather than in the middle of it.
package struct Checkpoint: Sendable {
    /// In the order of their names.
    package let files: [TensorFile]
    /// Every tensor, file by file in the order of their bytes.
    package let tensors: [StoredTensor]

    private let positions: [ExactName: Int]

    /// Opens `STEM.safetensors` if it is there, else what `STEM.safetensors.index.json` names.
    ///
    /// A tensor that a file has and the index does not name is left out. An index may name
    /// nothing but files of the folder: names with separators are refused. A file may be a symbolic
    /// link to anywhere, since the hub's cache is made of them (`snapshots/REVISION/FILE` leads to
    /// `blobs/HASH`), and whoever may put a link there may put a file there.
    ///
    /// - Parameters:
    ///   - path: the folder
    ///   - stem: what the names of the files begin with
    package init(folder path: String, stem: String = "model") throws(TensorFileError) {
        let (one, index) = (CheckpointNames.one(stem), CheckpointNames.index(stem))
        let folder = try reading(Folder.name(of: path), Folder(path))
        if try reading(one, folder.contains(one)) {
            self.init(file: try TensorFile(one, in: folder))
        } else if try reading(index, folder.contains(index)) {
            try self.init(index: index, in: folder)
        } else {
            throw .noCheckpoint(file: one, index: index)
        }
    }

    /// The tensor of that name.
    package func tensor(named name: String) throws(TensorFileError) -> MappedTensor {
        guard let position = positions[ExactName(name)] else { throw .noTensor(name: name) }
        return try files[position].tensor(named: name)
    }

    /// Whether there is a tensor of that name.
    package func contains(_ name: String) -> Bool { positions[ExactName(name)] != nil }

    private init(file: TensorFile) {
        files = [file]
        tensors = file.tensors
        positions = Dictionary(uniqueKeysWithValues: tensors.map { (ExactName($0.name), 0) })
    }

    private init(index name: String, in folder: Folder) throws(TensorFileError) {
        let index = try Checkpoint.readIndex(name, in: folder)
        let files = try Checkpoint.open(index, in: folder)
        let fileNames = files.map { ExactName($0.name) }
        let numbers = Dictionary(uniqueKeysWithValues: zip(fileNames, fileNames.indices))
        var positions: [ExactName: Int] = [:]
        for place in index.places {
            guard let number = numbers[ExactName(place.file)],
                files[number].header[place.tensor] != nil
            else {
                throw .shardLacksTensor(file: place.file, tensor: place.tensor)
            }
            positions[ExactName(place.tensor)] = number
        }
        (self.files, self.positions) = (files, positions)
        tensors = files.indices.flatMap { number in
            files[number].tensors.filter { positions[ExactName($0.name)] == number }
        }
    }

    private static func readIndex(
        _ name: String, in folder: Folder
    ) throws(TensorFileError) -> CheckpointIndex {
        let file = try MappedFile(name, in: folder)
        return try file.parse { (bytes) throws(FormatError) in
            try CheckpointIndex(reading: bytes)
        }
    }

    /// The files that an index names, each once, in the order of their names.
    private static func open(
        _ index: CheckpointIndex, in folder: Folder
    ) throws(TensorFileError) -> [TensorFile] {
        var files: [ExactName: TensorFile] = [:]
        for place in index.places where files[ExactName(place.file)] == nil {
            do {
                let file = try TensorFile(place.file, in: folder)
                files[ExactName(place.file)] = file
            } catch {
                guard case .unreadable(_, let cause) = error, cause.code == ENOENT else {
                    throw error
                }
                throw .missingShard(file: place.file, tensor: place.tensor)
            }
        }
        return files.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}

/// What the files of a checkpoint are called.
enum CheckpointNames {
    /// The file of a checkpoint that has one.
    static func one(_ stem: String) -> String { "\(stem).safetensors" }

    static func index(_ stem: String) -> String { "\(stem).safetensors.index.json" }

    /// A shard, numbered from 1, such as `model-00001-of-00003.safetensors`.
    static func shard(_ stem: String, _ number: Int, of count: Int) -> String {
        "\(stem)-\(fiveDigits(number))-of-\(fiveDigits(count)).safetensors"
    }

    private static func fiveDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}
