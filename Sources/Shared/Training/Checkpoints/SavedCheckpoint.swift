import Base
import Foundation
import Layers
import Models
import Numerics
import TensorFiles
import Text

/// What a checkpoint says besides tensors.
struct SavedRun: Codable {
    /// Digest of the model that the run started from.
    var base: String
    /// Digest of the rows and their lengths.
    var rows: String
    var recipe: TrainingRecipe
    var state: RunState
    var optimiser: SavedOptimiserState

    static let file = "run.json"

    func json() -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        // Every number in it is finite: a run that diverges does not get this far.
        guard let bytes = try? encoder.encode(self) else {
            preconditionFailure("checkpoint: a state that JSON cannot say, step \(state.step)")
        }
        return Bytes(bytes)
    }
}

/// A checkpoint on disk, read and compared with its own list of files.
package struct SavedCheckpoint: Sendable {
    /// Its folder's name.
    package let name: String
    /// Its folder.
    package let path: String
    /// Its files, but for the list of them.
    package let files: [CheckpointFile]
    let run: SavedRun
    let history: [LogEntry]

    static let optimiser = "optimizer.safetensors"
    static let trainerState = "trainer_state.json"
    /// Far above any state; histories of long runs are what grows.
    private static let bytesMax = 1 << 30

    /// Steps done.
    package var step: Int { run.state.step }

    /// Opens a checkpoint and checks every byte of it.
    /// - Parameter name: of a checkpoint, `best` or `last`
    package init(_ name: String, in store: CheckpointStore) throws(CheckpointError) {
        guard let resolved = store.resolved(name) else { throw .missing(name: name) }
        self.name = resolved
        path = "\(store.folder)/\(resolved)"
        files = try Self.files(in: path)
        for file in files {
            let seen = try CheckpointFile(file.name, in: path)
            guard seen == file else {
                throw .damaged(
                    file: file.name, seen: "\(seen.bytes) bytes, \(seen.sha256.prefix(12))",
                    written: "\(file.bytes) bytes, \(file.sha256.prefix(12))")
            }
        }
        do {
            run = try JSONDecoder().decode(
                SavedRun.self, from: Data(try Self.read(SavedRun.file, in: path)))
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw .unreadable(file: SavedRun.file, why: "it is not the state of a run")
        }
        let root = try Self.document(Self.trainerState, in: path).root
        guard let history = TrainerState.history(of: root) else {
            throw .unreadable(file: Self.trainerState, why: "it has no log_history")
        }
        self.history = history
    }

    private static func read(_ name: String, in folder: String) throws(CheckpointError) -> Bytes {
        switch SmallFile.read("\(folder)/\(name)", bytesMax: bytesMax) {
        case .success(let bytes): return bytes
        case .failure(let error): throw .unreadable(file: name, why: error.words)
        }
    }

    private static func document(
        _ name: String, in folder: String
    ) throws(CheckpointError) -> JSONDocument {
        let bytes = try read(name, in: folder)
        do throws(JSONError) {
            return try JSONDocument(bytes)
        } catch {
            throw .unreadable(file: name, why: "no JSON at byte \(error.offset): \(error.why)")
        }
    }

    private static func files(in folder: String) throws(CheckpointError) -> [CheckpointFile] {
        struct Listing: Decodable { let files: [CheckpointFile] }
        let bytes = try read(CheckpointStore.listing, in: folder)
        guard let listing = try? JSONDecoder().decode(Listing.self, from: Data(bytes)),
            listing.files.allSatisfy({ !$0.name.contains("/") && !$0.name.hasPrefix(".") })
        else {
            throw .unreadable(file: CheckpointStore.listing, why: "it is not a list of files")
        }
        return listing.files
    }

    /// Refuses to go on with another base, other rows or another recipe.
    func check(base: String, rows: String, _ recipe: TrainingRecipe) throws(CheckpointError) {
        guard run.base == base else {
            throw .other(what: "base", saved: run.base, wanted: base)
        }
        guard run.rows == rows else {
            throw .other(what: "set of rows", saved: run.rows, wanted: rows)
        }
        guard run.recipe != recipe else { return }
        let (saved, wanted) = (run.recipe.fields, recipe.fields)
        let differing = wanted.keys.filter { saved[$0] != wanted[$0] }.sorted()
        throw .other(
            what: "recipe",
            saved: differing.map { "\($0) \(saved[$0] ?? "none")" }.joined(separator: ", "),
            wanted: differing.map { "\($0) \(wanted[$0] ?? "none")" }.joined(separator: ", "))
    }

    /// The optimiser's tensors.
    func optimiserTensors(on backend: any Backend) throws(CheckpointError) -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        do throws(TensorFileError) {
            let file = try TensorFile(path: "\(path)/\(Self.optimiser)")
            for stored in file.tensors {
                guard let type = DType(stored.type) else { continue }
                tensors[stored.name] = try file.tensor(named: stored.name).withBytes {
                    Tensor(bytes: $0, shape: Shape(stored.shape), type: type, on: backend)
                }
            }
        } catch {
            throw .unreadable(file: Self.optimiser, why: error.message)
        }
        return tensors
    }
}

extension TrainingRecipe {
    /// Every field with its value, in words.
    fileprivate var fields: [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let bytes = try? encoder.encode(self),
            let root = try? JSONDocument(bytes).root
        else { return [:] }
        let pairs = root.members.map { key, value in
            let text = String(decoding: value.printed(), as: UTF8.self)
            return (
                key.string ?? "", text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            )
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }
}
