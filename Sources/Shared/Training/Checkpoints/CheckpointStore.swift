package import Base

/// The checkpoints of a run: a folder each, and links `best` and `last` to two of them.
///
/// A checkpoint is written under a hidden name and takes its own in one step, when all its files
/// are on the disk; the links follow. What a crash or a full disk interrupts leaves no trace but a
/// hidden folder, which the next run removes.
package struct CheckpointStore: Sendable {
    /// The folder of all checkpoints.
    package let folder: String
    /// Asked before each file is written: an error stands for that of the disk, in tests.
    package var faultBefore: @Sendable (String) -> SystemError? = { _ in nil }

    static let (best, last) = ("best", "last")
    static let listing = "checkpoint.json"
    private static let partial = ".partial", removed = ".removed-"

    /// - Parameter folder: exists
    package init(_ folder: String) { self.folder = folder }

    /// Where a checkpoint is.
    /// - Parameter name: of a checkpoint, `best` or `last`
    /// - Returns: its folder; nil if there is none
    package func path(of name: String) -> String? {
        resolved(name).map { "\(folder)/\($0)" }
    }

    /// The checkpoint that a name or link stands for; nil if there is none.
    package func resolved(_ name: String) -> String? {
        let target = [Self.best, Self.last].contains(name) ? link(name) : name
        return target.flatMap { names.contains($0) ? $0 : nil }
    }

    /// Whole checkpoints, the oldest first.
    package var names: [String] {
        SyncedFolder.names(in: folder).compactMap { name in
            CheckpointName(name).map { (name, $0) }
        }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private func link(_ name: String) -> String? { SyncedFolder.target(of: name, in: folder) }

    /// Removes what interrupted writing left behind.
    package func sweep() {
        for name in SyncedFolder.names(in: folder)
        where name.hasPrefix(".") && (name.hasSuffix(Self.partial) || name.hasPrefix(Self.removed))
        {
            SyncedFolder.remove("\(folder)/\(name)")
        }
    }

    /// Writes a checkpoint, lets the links lead to it, and removes old ones.
    /// - Parameters:
    ///   - step: steps done
    ///   - isBest: whether `best` leads to it too
    ///   - kept: how many are kept besides best and last
    ///   - body: writes the files through the draft; gets the checkpoint's name
    /// - Returns: its name, its files, and the names of those that were removed
    func write(
        step: Int, isBest: Bool, kept: Int,
        _ body: (borrowing CheckpointDraft, String) throws(CheckpointError) -> Void
    ) throws(CheckpointError) -> (name: String, files: [CheckpointFile], removed: [String]) {
        let name = try freeName(step)
        let hidden = ".\(name)\(Self.partial)"
        let path = "\(folder)/\(hidden)"
        SyncedFolder.remove(path)
        let files: [CheckpointFile]
        do {
            try system(name) { () throws(SystemError) in try SyncedFolder.make(path) }
            let draft = CheckpointDraft(folder: path, faultBefore: faultBefore)
            try body(draft, name)
            files = try draft.finish()
            try system(name) { () throws(SystemError) in
                try SyncedFolder.rename(hidden, to: name, in: folder)
                try SyncedFolder.link(Self.last, to: name, in: folder)
                if isBest { try SyncedFolder.link(Self.best, to: name, in: folder) }
            }
        } catch {
            SyncedFolder.remove(path)
            throw error
        }
        return (name, files, removeOld(kept: kept))
    }

    /// A name for a checkpoint. One that no link leads to gives its name up: it was written by a
    /// run that was killed before it could say so.
    private func freeName(_ step: Int) throws(CheckpointError) -> String {
        let links = [Self.best, Self.last].compactMap(link)
        var name = CheckpointName(step: step, turn: 1)
        while names.contains(name.text), links.contains(name.text) { name.turn += 1 }
        if names.contains(name.text) { try remove(name.text) }
        return name.text
    }

    private func removeOld(kept: Int) -> [String] {
        let links = [Self.best, Self.last].compactMap(link)
        let old = names.filter { !links.contains($0) }.dropLast(kept)
        // What cannot be removed now is old the next time too.
        return old.filter { (try? remove($0)) != nil }
    }

    /// Takes the name away first, so that no half of a checkpoint ever has one.
    private func remove(_ name: String) throws(CheckpointError) {
        let hidden = Self.removed + name
        SyncedFolder.remove("\(folder)/\(hidden)")
        try system(name) { () throws(SystemError) in
            try SyncedFolder.rename(name, to: hidden, in: folder)
        }
        SyncedFolder.remove("\(folder)/\(hidden)")
    }

    private func system<R>(
        _ what: String, _ body: () throws(SystemError) -> R
    ) throws(CheckpointError) -> R {
        do { return try body() } catch { throw .unwritable(what: what, error) }
    }
}

/// `checkpoint-STEP`, as transformers names them, and `checkpoint-STEP-TURN` from the second one
/// on that is made at the same step.
struct CheckpointName: Hashable, Comparable {
    var step: Int
    var turn: Int

    init(step: Int, turn: Int) { (self.step, self.turn) = (step, turn) }

    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts[0] == "checkpoint",
            let step = Int(parts[1]), let turn = parts.count == 3 ? Int(parts[2]) : 1
        else { return nil }
        self.init(step: step, turn: turn)
        guard self.text == text else { return nil }
    }

    var text: String { "checkpoint-\(step)" + (turn > 1 ? "-\(turn)" : "") }

    static func < (a: CheckpointName, b: CheckpointName) -> Bool {
        (a.step, a.turn) < (b.step, b.turn)
    }
}

/// A file of a checkpoint, as it was written.
package struct CheckpointFile: Sendable, Hashable, Codable {
    package let name: String
    package let bytes: Int
    /// 64 hexadecimal digits.
    package let sha256: String
}
