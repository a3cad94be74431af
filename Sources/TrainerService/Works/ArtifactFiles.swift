import Base
import Digests
import Foundation
import Messages
import Operation
import Resources

/// What this program calls itself in lineages.
enum ProgramVersion {
    static let text = "fovea \(Build.version)"
}

/// The files of a result on disk.
struct ArtifactFiles: Sendable {
    let folder: String
    let kind: ArtifactKind
    /// In order of path.
    let files: [ModelFile]

    /// Files of a checkpoint that only going on needs.
    private static let ofTraining: Set = ["optimizer.safetensors", "run.json", "checkpoint.json"]

    /// - Parameter includesState: whether files that only going on needs are part of it
    init(folder: String, kind: ArtifactKind, includesState: Bool = false) throws {
        (self.folder, self.kind) = (folder, kind)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let wanted = names.filter { name in
            !name.hasPrefix(".") && (includesState || !Self.ofTraining.contains(name))
        }
        let model = ModelFolder(registered: folder)
        files = try wanted.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .map { try model.digested($0) }
    }

    /// The digest of the files that hold weights: that of the file where it is one.
    var weightsDigest: String { files.weightsDigest }

    /// - Parameter name: "jobs/{job}/artifacts/{artifact}"
    func summary(named name: String, _ lineage: Lineage?) -> ArtifactSummary {
        var summary = ArtifactSummary()
        (summary.name, summary.kind) = (name, kind)
        summary.contentSha256 = kind == .adapter ? weightsDigest : files.digest
        summary.sizeBytes = files.reduce(0) { $0 + $1.sizeBytes }
        summary.fileCount = UInt32(clamping: files.count)
        summary.lineage = lineage
        summary.createTime = .init(nanoseconds: WallClock.nanoseconds())
        return summary
    }
}

extension [ModelFile] {
    /// The digest of those that hold weights.
    var weightsDigest: String {
        filter { $0.path.hasSuffix(".safetensors") && $0.path != "optimizer.safetensors" }.digest
    }
}
