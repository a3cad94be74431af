import Base
import Dispatch
import Messages
import Training

/// The train rows of a version as its augmentation policy changes them, each epoch in another way.
/// The dataset service draws from seed and epoch alone, so a job that goes on sees the same rows.
final class AugmentedRows: Sendable {
    private let version: DatasetVersion
    private let library: RowLibrary
    private let seed: UInt64
    private let epochs: Int
    private let control: JobControl
    private let packs = Lock<[Int: RowPack]>([:])
    /// One epoch is fetched at a time.
    private let gate = DispatchSemaphore(value: 1)

    /// - Parameter epochs: passes over the split
    init(
        _ version: DatasetVersion, _ library: RowLibrary, seed: UInt64, epochs: Double,
        _ control: JobControl
    ) {
        (self.version, self.library, self.control) = (version, library, control)
        (self.seed, self.epochs) = (seed, Int(epochs.rounded(.up)))
    }

    func draw(_ epoch: Int) -> RowLibrary.Draw { RowLibrary.Draw(seed: seed, epoch: epoch) }

    /// The rows of an epoch. Waits where they have to be fetched; those of the next epoch are
    /// fetched meanwhile.
    func pack(_ draw: RowLibrary.Draw) throws(RowFault) -> RowPack {
        if let known = packs.with({ $0[draw.epoch] }) { return known }
        let pack = try fetched(draw)
        guard draw.epoch + 1 < epochs else { return pack }
        startThread(named: "fovea-rows-next") { [self] in
            // Whoever needs them finds out why they are not there.
            _ = try? fetched(self.draw(draw.epoch + 1))
        }
        return pack
    }

    private func fetched(_ draw: RowLibrary.Draw) throws(RowFault) -> RowPack {
        gate.wait()
        defer { gate.signal() }
        if let known = packs.with({ $0[draw.epoch] }) { return known }
        let (library, version, control) = (library, version, control)
        let pack = try Awaited.value(of: "epoch \(draw.epoch)") {
            if let kept = try library.kept(.train, of: version, drawn: draw) { return kept }
            do {
                try await library.fetch(.train, of: version, drawn: draw) { _ in
                    try control.check()
                }
            } catch is JobControl.Interrupted {
                throw TrainerError.datasetsUnavailable(why: "the job was asked to stop")
            }
            guard let kept = try library.kept(.train, of: version, drawn: draw) else {
                throw RowPackError.damaged(row: 0)
            }
            return kept
        }
        let old = packs.with { packs in
            packs[draw.epoch] = pack
            let old = packs.keys.filter { $0 + 2 < draw.epoch }
            for epoch in old { packs[epoch] = nil }
            return old
        }
        for epoch in old { library.remove(.train, of: version, drawn: self.draw(epoch)) }
        return pack
    }

    /// Removes what was fetched, once nobody needs it any more.
    func clear() {
        let known = packs.with { packs in
            defer { packs = [:] }
            return Array(packs.keys)
        }
        for epoch in known { library.remove(.train, of: version, drawn: draw(epoch)) }
    }
}
