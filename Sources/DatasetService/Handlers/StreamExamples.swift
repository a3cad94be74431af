import Base
import Digests
import Messages
import Quality
import RPC
import Resources
import Storage

/// `StreamExamples`: reads the next rows while the ones before are sent, no further ahead.
struct StreamExamples: Sendable {
    /// Rows read at a time, and bytes of images after which fewer are.
    private static let batchRows = 64
    private static let batchBytes = 8 << 20

    private let reader: VersionReader
    private let plan: StreamPlan
    private let treatment: Treatment
    private var request: StreamExamplesRequest { plan.request }

    init(_ request: StreamExamplesRequest, _ catalogue: Catalogue) async throws {
        let name = try VersionName(request.version, field: "version")
        let version = try await catalogue.reader.read { db in try db.version(name) }
        plan = try StreamPlan(request, versionDigest: version.digest?.hex ?? "")
        reader = VersionReader(catalogue, version)
        var policy: Quality.AugmentationPolicy?
        if request.augment {
            guard let stored = version.stored.augmentationPolicy else {
                throw DatasetError.badState(
                    name: "\(version.name)", why: "it was frozen without an augmentation policy")
            }
            policy = try Quality.AugmentationPolicy(stored)
        }
        treatment = Treatment(
            side: Int(min(request.imageSidePixelsMax, UInt32(Limits.imageSideMax))),
            policy: policy, seed: request.seed)
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
        var waiting: Task<[PlacedRow], any Error>? = read(&next, order, epoch)
        defer { waiting?.cancel() }
        while let task = waiting {
            let batch = try await task.value
            waiting = next.isEmpty || UInt64(batch.count) >= left ? nil : read(&next, order, epoch)
            for row in batch {
                guard left > 0 else { return }
                // Erased since freezing: the order stays, the row is passed over.
                guard let message = message(row, epoch) else { continue }
                try await responses.write(message)
                left -= 1
            }
        }
    }

    private struct PlacedRow: Sendable {
        let place: Int
        let row: FrozenRow
        /// Empty where nothing is done to images, or none are sent.
        let images: [TreatedImage]
    }

    private func read(
        _ places: inout ArraySlice<Int>, _ order: SeededOrder?, _ epoch: UInt32
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
        let treatment = treatment
        return Task {
            let positions = chosen.map { order?[$0] ?? $0 }
            var rows = try await reader.rows(at: positions, of: split)
            if !omits { rows = try await reader.withContents(rows) }
            let treats = treatment.isNeeded && !omits
            let images =
                treats
                ? try await reader.treated(rows, treatment, epoch: epoch)
                : rows.map { _ in [] }
            return chosen.indices.map { index in
                PlacedRow(place: chosen[index], row: rows[index], images: images[index])
            }
        }
    }

    private func message(_ placed: PlacedRow, _ epoch: UInt32) -> StreamExamplesResponse? {
        guard let example = placed.row.example else { return nil }
        var message = StreamedExample()
        message.example =
            ExampleName(
                dataset: reader.version.name.dataset, rowID: placed.row.rowID
            ).description
        message.images = images(example, placed, epoch)
        message.turns = example.turns
        message.regions = example.regions.compactMap { region in
            // Where nothing was done to images, boxes stay where they are.
            guard placed.images.indices.contains(Int(region.imageIndex)) else { return region }
            return region.moved(placed.images[Int(region.imageIndex)].map)
        }
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

    private func images(
        _ example: Example, _ placed: PlacedRow, _ epoch: UInt32
    ) -> [StreamedImage] {
        let contents = placed.row.contents
        let omitted =
            request.omitImages ? treatment.steps(of: placed.row.rowID, epoch: epoch) : []
        return example.images.enumerated().map { index, stored in
            var image = StreamedImage()
            image.imageSha256 = stored.imageSha256
            image.widthPixels = stored.widthPixels
            image.heightPixels = stored.heightPixels
            image.appliedSteps = omitted
            if placed.images.indices.contains(index) {
                let treated = placed.images[index]
                image.content = treated.bytes
                image.widthPixels = UInt32(treated.map.width)
                image.heightPixels = UInt32(treated.map.height)
                image.appliedSteps = treated.steps
            } else if contents.indices.contains(index) {
                image.content = contents[index]
            }
            return image
        }
    }
}

extension ImageRegion {
    /// The region on a changed image; nil if it is no longer to be seen there.
    fileprivate func moved(_ map: PictureMap) -> ImageRegion? {
        let box = PictureBox(
            left: xMinPixels, top: yMinPixels, right: xMaxPixels, bottom: yMaxPixels)
        guard let place = map.moved(box) else { return nil }
        var region = self
        (region.xMinPixels, region.yMinPixels) = (place.left, place.top)
        (region.xMaxPixels, region.yMaxPixels) = (place.right, place.bottom)
        return region
    }
}
