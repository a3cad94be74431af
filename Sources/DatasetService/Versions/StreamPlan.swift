import Base
import Messages
import Resources

/// Which rows a stream sends, in which order, and where it goes on.
struct StreamPlan: Sendable {
    let request: StreamExamplesRequest
    let split: SplitKind
    let shardCount: Int
    let epochs: Range<UInt32>
    /// Where the first epoch begins, in places of the whole order.
    let firstPlace: Int
    private let mark: String

    /// Checks a request against its version.
    ///
    /// - Parameter versionDigest: names the content that a cursor belongs to
    init(_ request: StreamExamplesRequest, versionDigest: String) throws(DatasetError) {
        self.request = request
        split = request.split
        guard request.split.part != nil else { throw .required(field: "split") }
        let shards = max(1, request.shardCount)
        guard shards <= Limits.shardsMax, request.shardIndex < shards else {
            throw .invalid(
                field: "shard_index", seen: "\(request.shardIndex) of \(request.shardCount)",
                allowed: "an index below shard_count, which is 1 to \(Limits.shardsMax)")
        }
        let epochCount = max(1, request.epochCount)
        guard epochCount <= Limits.epochsMax else {
            throw .invalid(
                field: "epoch_count", seen: "\(epochCount)",
                allowed: "1 to \(Limits.epochsMax) is allowed")
        }
        guard request.split == .train || (epochCount == 1 && !request.augment) else {
            throw .fieldsConflict(
                "only the train split is repeated or augmented; this is"
                    + " \(request.split.plainName)", fields: ["split", "epoch_count", "augment"])
        }
        shardCount = Int(shards)
        mark =
            "\(versionDigest.prefix(16))|\(request.split.rawValue)|\(request.seed)"
            + "|\(request.shuffle)|\(request.augment)|\(request.shardIndex)/\(shards)"
        var (epoch, place) = (request.epoch, Int(request.shardIndex))
        if request.cursor.count > 0 {
            (epoch, place) = try Self.read(request.cursor, mark)
        }
        let (end, overflows) = request.epoch.addingReportingOverflow(epochCount)
        guard !overflows else {
            throw .invalid(
                field: "epoch", seen: "\(request.epoch)",
                allowed: "an epoch so small that epoch + epoch_count fits 32 bits")
        }
        firstPlace = place
        // A cursor says which epoch it is; the count is still that of the request.
        epochs = epoch..<max(end, epoch &+ 1)
    }

    /// Text that another call goes on from.
    func cursor(epoch: UInt32, nextPlace: Int) -> Bytes { Bytes("\(mark)|\(epoch)|\(nextPlace)") }

    private static func read(_ cursor: Bytes, _ mark: String) throws(DatasetError) -> (UInt32, Int)
    {
        guard let text = cursor.text, text.hasPrefix(mark + "|") else {
            throw .badCursor(
                why: "it is of another version, split, seed or shard, or of another order")
        }
        let parts = text.dropFirst(mark.count + 1).split(separator: "|")
        guard parts.count == 2, let epoch = UInt32(parts[0]), let place = Int(parts[1]), place >= 0
        else { throw .badCursor(why: "its end cannot be read") }
        return (epoch, place)
    }
}
