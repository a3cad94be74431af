import Base
import Digests
import Messages
import RPC
import Storage

/// `StreamExamples`: reads the next rows while the ones before are sent, no further ahead.
struct StreamExamples: Sendable {
    /// Rows read at a time, and bytes of images after which fewer are.
    private static let batchRows = 64
    private static let batchBytes = 8 << 20

    private let reader: VersionReader
    private let plan: StreamPlan
    private var request: StreamExamplesRequest { plan.request }

    init(_ request: StreamExamplesRequest, _ catalogue: Catalogue) async throws {
        let name = try VersionName(request.version, field: "version")
        let version = try await catalogue.reader.read { db in try db.version(name) }
        plan = try StreamPlan(request, versionDigest: version.digest?.hex ?? "")
        reader = VersionReader(catalogue, version)
        guard request.augment else { return }
        guard version.stored.augmentationPolicy != nil else {
            throw DatasetError.badState(
                name: "\(version.name)", why: "it was frozen without an augmentation policy")
        }
        throw RPCError(
            .unimplemented, "augmentation comes with a later release; set augment to false",
            reason: "NOT_IMPLEMENTED")
    }

    func run(to responses: ResponseWriter<StreamExamplesResponse>) async throws {
        var left = request.rowCountMax == 0 ? UInt64.max : request.rowCountMax
        for epoch in plan.epochs {
            let first = epoch == plan.epochs.lowerBound
            let start = first ? plan.firstPlace : Int(request.shardIndex)
            try await begin(epoch, at: start, responses)
            try await send(epoch, from: start, &left, responses)
            if left == 0 { return }
        }
    }

    private func begin(
        _ epoch: UInt32, at place: Int, _ responses: ResponseWriter<StreamExamplesResponse>
    ) async throws {
        let count = reader.count(of: plan.split)
        let erased = try await reader.erasedPositions(of: plan.split)
        let order = order(epoch)
        let erasedHere = erased.count { position in
            let place = order?.place(of: position) ?? position
            return place % plan.shardCount == Int(request.shardIndex)
        }
        let ofShard =
            (count - Int(request.shardIndex) + plan.shardCount - 1) / plan.shardCount
        var begin = EpochStart()
        begin.epoch = epoch
        begin.rowCount = UInt64(max(0, ofShard - erasedHere))
        begin.erasedCount = UInt64(erased.count)
        begin.versionSha256 = reader.version.digest?.hex ?? ""
        var response = StreamExamplesResponse()
        response.part = .epochStart(begin)
        response.cursor = plan.cursor(epoch: epoch, nextPlace: place)
        response.rowIndex = UInt64(place)
        try await responses.write(response)
    }

    private func order(_ epoch: UInt32) -> SeededOrder? {
        guard request.shuffle else { return nil }
        return SeededOrder(
            count: reader.count(of: plan.split), seed: request.seed, epoch: epoch)
    }

    private func send(
        _ epoch: UInt32, from start: Int, _ left: inout UInt64,
        _ responses: ResponseWriter<StreamExamplesResponse>
    ) async throws {
        let places = Array(
            stride(from: start, to: reader.count(of: plan.split), by: plan.shardCount))
        var next = places[...]
        let order = order(epoch)
        var waiting: Task<[PlacedRow], any Error>? = read(&next, order)
        defer { waiting?.cancel() }
        while let task = waiting {
            let batch = try await task.value
            waiting = next.isEmpty || UInt64(batch.count) >= left ? nil : read(&next, order)
            for row in batch {
                guard left > 0 else { return }
                // Erased since freezing: the order stays, the row is passed over.
                guard let message = try await message(row, epoch) else { continue }
                try await responses.write(message)
                left -= 1
            }
        }
    }

    private struct PlacedRow: Sendable {
        let place: Int
        let row: FrozenRow
    }

    private func read(
        _ places: inout ArraySlice<Int>, _ order: SeededOrder?
    ) -> Task<[PlacedRow], any Error>? {
        guard !places.isEmpty else { return nil }
        let meanBytes =
            Int(reader.version.stored.imageBytes)
            / max(1, Int(reader.version.stored.exampleCount))
        let count =
            request.omitImages
            ? Self.batchRows : max(1, min(Self.batchRows, Self.batchBytes / max(1, meanBytes)))
        let chosen = Array(places.prefix(count))
        places = places.dropFirst(count)
        let (reader, split, omits) = (reader, plan.split, request.omitImages)
        return Task {
            let positions = chosen.map { order?[$0] ?? $0 }
            var rows = try await reader.rows(at: positions, of: split)
            if !omits { rows = try await reader.withContents(rows) }
            return zip(chosen, rows).map { PlacedRow(place: $0, row: $1) }
        }
    }

    private func message(_ placed: PlacedRow, _ epoch: UInt32) async throws
        -> StreamExamplesResponse?
    {
        guard let example = placed.row.example else { return nil }
        var message = StreamedExample()
        message.example =
            ExampleName(
                dataset: reader.version.name.dataset, rowID: placed.row.rowID
            ).description
        message.images = try await images(example, placed.row.contents)
        message.turns = example.turns
        message.regions = example.regions
        message.contentSha256 = placed.row.digest?.hex ?? ""
        if request.includeAttributes {
            message.tags = example.tags
            message.attributes = example.attributes
            message.groupValues = example.groupValues
        }
        var response = StreamExamplesResponse()
        response.part = .example(message)
        response.cursor = plan.cursor(epoch: epoch, nextPlace: placed.place + plan.shardCount)
        response.rowIndex = UInt64(placed.place)
        return response
    }

    private func images(_ example: Example, _ contents: [Bytes]) async throws -> [StreamedImage] {
        let side = Int(request.imageSidePixelsMax)
        let resizes = side > 0 && !request.omitImages
        let shrunk = resizes ? try await reader.shrunk(contents, side: side) : []
        return example.images.enumerated().map { index, stored in
            var image = StreamedImage()
            image.imageSha256 = stored.imageSha256
            image.widthPixels = stored.widthPixels
            image.heightPixels = stored.heightPixels
            if resizes {
                image.content = shrunk[index].bytes
                image.widthPixels = UInt32(shrunk[index].width)
                image.heightPixels = UInt32(shrunk[index].height)
            } else if !request.omitImages {
                image.content = contents[index]
            }
            return image
        }
    }
}
