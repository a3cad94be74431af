import Base
import Digests
import Images
import Messages
import Quality
import RPC
import Testing

@testable import DatasetService

struct AugmentationTests {
    private typealias Step = Messages.AugmentationStep

    private static func turn(_ degrees: Double, step: UInt32 = 0) -> Messages.AugmentationStep {
        .with {
            $0.probability = 1
            $0.transform = .rotate(.with { ($0.degreesMax, $0.stepDegrees) = (degrees, step) })
        }
    }

    private static let mirror = Step.with {
        $0.probability = 1
        $0.transform = .flip(.with { $0.horizontal = true })
    }

    @discardableResult
    private func set(
        _ harness: DatasetHarness, _ change: (inout Messages.AugmentationPolicy) -> Void
    ) async throws -> SetAugmentationPolicyResponse {
        var request = SetAugmentationPolicyRequest()
        request.dataset = "datasets/pets"
        var policy = Messages.AugmentationPolicy()
        change(&policy)
        request.policy = policy
        return try await harness.client.call(Datasets.setAugmentationPolicy, request)
    }

    private func stream(
        _ harness: DatasetHarness, _ change: (inout StreamExamplesRequest) -> Void = { _ in }
    ) async throws -> [StreamedExample] {
        var request = StreamExamplesRequest()
        request.version = "datasets/pets/versions/latest"
        (request.split, request.augment) = (.train, true)
        change(&request)
        var rows: [StreamedExample] = []
        for try await response in try await harness.client.call(Datasets.streamExamples, request) {
            if case .example(let row)? = response.part { rows.append(row) }
        }
        return rows
    }

    /// Rows with one picture, a box in it and a policy, frozen.
    private func frozen(
        _ steps: [Messages.AugmentationStep], domain: ImageDomain = .defect
    ) async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.domain = domain }
        var rows = try Pets.rows(0..<12)
        for index in rows.indices {
            rows[index].regions = [
                .with {
                    ($0.xMinPixels, $0.xMaxPixels) = (0, 8)
                    ($0.yMinPixels, $0.yMaxPixels) = (6, 12)
                }
            ]
        }
        try await harness.ingest(rows)
        try await set(harness) { $0.steps = steps }
        _ = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        return harness
    }

    /// The two cases that the guide names.
    @Test func aDocumentIsNotTurnedOverAndADefectMayBeTurnedByFifteenDegrees() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.domain = .document }
        let error = await #expect(throws: RPCError.self) {
            try await self.set(harness) { $0.steps = [Self.turn(180, step: 180), Self.mirror] }
        }
        #expect(error?.toldReason == "TRANSFORM_FORBIDDEN")
        #expect(error?.message.contains("policy.steps[0].rotate: 180.0") == true)
        #expect(error?.message.contains("policy.steps[1].flip") == true)
        _ = try await harness.client.call(
            Datasets.updateDataset,
            .with { $0.dataset = .with { ($0.name, $0.domain) = ("datasets/pets", .defect) } })
        #expect(try await set(harness) { $0.steps = [Self.turn(15)] }.warnings.isEmpty)
        #expect(try await set(harness) { $0.steps = [Self.turn(40)] }.warnings.count == 1)
        await harness.close()
    }

    @Test func aPresetIsFilledInAndRevisionsCount() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.domain = .medical }
        let first = try #require(try await set(harness) { $0.usePreset = true }.policy)
        #expect(first.name == "datasets/pets/augmentationPolicies/1")
        #expect(first.steps.count == AugmentationPolicy.preset(.medical).steps.count)
        #expect(first.policySha256.count == 64)
        let again = try #require(
            try await set(harness) { policy in
                (policy.usePreset, policy.steps) = (true, [Self.turn(3)])
            }.policy)
        #expect(again.name == "datasets/pets/augmentationPolicies/2")
        #expect(again.policySha256 != first.policySha256)
        let stored = try await harness.client.call(
            Datasets.getDataset, .with { $0.name = "datasets/pets" })
        #expect(stored.augmentationPolicy == again)
        let error = await #expect(throws: RPCError.self) {
            try await self.set(harness) { policy in
                policy.steps = [.with { $0.probability = 1 }]
            }
        }
        #expect(error?.toldReason == "FIELD_INVALID")
        await harness.close()
    }

    @Test func coloursStayWhereAnswersNameThem() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { dataset in
            dataset.answerSchema?.classes[0].name = "red cat"
        }
        let colour = Step.with {
            $0.probability = 1
            $0.transform = .color(.with { ($0.saturationMin, $0.saturationMax) = (0.5, 1.5) })
        }
        let error = await #expect(throws: RPCError.self) {
            try await self.set(harness) { $0.steps = [colour] }
        }
        #expect(error?.toldReason == "TRANSFORM_FORBIDDEN")
        // The preset gives its own step up instead.
        let preset = try await set(harness) { $0.usePreset = true }.policy
        #expect(preset?.steps.count == AugmentationPolicy.preset(.generic).steps.count - 1)
        await harness.close()
    }

    @Test func variantsRepeatBySeedAndEpochAndKeepTheirOrigin() async throws {
        let harness = try await frozen([
            Self.turn(15),
            .with {
                $0.probability = 1
                $0.transform = .sensorNoise(.with { $0.readLevelsMax = 20 })
            },
        ])
        let first = try await stream(harness) { ($0.seed, $0.epoch) = (5, 1) }
        #expect(first == (try await stream(harness) { ($0.seed, $0.epoch) = (5, 1) }))
        let plain = try await stream(harness) { $0.augment = false }
        #expect(plain.map(\.example) == first.map(\.example))
        for (variant, original) in zip(first, plain) {
            let (image, source) = (try #require(variant.images.first), original.images[0])
            #expect(image.imageSha256 == source.imageSha256)
            #expect(image.content != source.content)
            #expect(image.appliedSteps.count == 2)
            #expect(image.appliedSteps[0].hasPrefix("rotate "))
            #expect(try DecodedImage(decoding: image.content).image.width == 32)
        }
        let later = try await stream(harness) { ($0.seed, $0.epoch) = (5, 2) }
        #expect(zip(first, later).allSatisfy { $0.images[0].content != $1.images[0].content })
        await harness.close()
    }

    @Test func boxesMoveWithTheirImage() async throws {
        let harness = try await frozen([Self.mirror])
        for row in try await stream(harness, { $0.imageSidePixelsMax = 16 }) {
            let box = try #require(row.regions.first)
            #expect(row.images[0].widthPixels == 16)
            #expect((box.xMinPixels, box.xMaxPixels) == (12, 16))
            #expect((box.yMinPixels, box.yMaxPixels) == (3, 6))
        }
        for row in try await stream(harness, { ($0.augment, $0.imageSidePixelsMax) = (false, 16) })
        {
            let box = try #require(row.regions.first)
            #expect((box.xMinPixels, box.xMaxPixels) == (0, 4))
        }
        await harness.close()
    }

    @Test func onlyTheTrainSplitOfAVersionWithAPolicyIsAugmented() async throws {
        let harness = try await frozen([Self.mirror])
        let error = await #expect(throws: RPCError.self) {
            try await self.stream(harness) { $0.split = .test }
        }
        #expect(error?.toldReason == "FIELDS_CONFLICT")
        await harness.close()
        let bare = try DatasetHarness()
        try await bare.createPets()
        try await bare.ingest(try Pets.rows(0..<12))
        _ = try await bare.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        let missing = await #expect(throws: RPCError.self) { try await self.stream(bare) }
        #expect(missing?.toldReason == "STATE_INVALID")
        await bare.close()
    }

    @Test func settingTheSamePolicyAgainMakesNoOtherVersion() async throws {
        let harness = try await frozen([Self.mirror])
        try await set(harness) { $0.steps = [Self.mirror] }
        let again = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        #expect(again.alreadyExisted)
        try await set(harness) { $0.steps = [Self.turn(10)] }
        let other = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        #expect(!other.alreadyExisted)
        await harness.close()
    }

    @Test func aPreviewShowsWhatAStreamWouldSend() async throws {
        let harness = try await frozen([Self.turn(15)])
        let preview = try await harness.client.call(
            Datasets.previewAugmentation,
            .with {
                ($0.dataset, $0.rowCount, $0.variantCount) = ("datasets/pets", 3, 2)
                ($0.cellSidePixels, $0.seed, $0.epoch) = (64, 5, 1)
            })
        let sheet = try DecodedImage(decoding: preview.contactSheetPng).image
        #expect(sheet.width == 4 + 3 * 68)
        #expect(sheet.height == 4 + 3 * 68)
        #expect(preview.variants.count == 6)
        let rows = try await stream(harness) { ($0.seed, $0.epoch) = (5, 1) }
        let sent = Dictionary(
            uniqueKeysWithValues: rows.map { ($0.example, $0.images[0].appliedSteps) })
        let shown = preview.variants.filter { $0.epoch == 1 && sent[$0.example] != nil }
        #expect(!shown.isEmpty)
        for variant in shown { #expect(sent[variant.example] == variant.appliedSteps) }
        await harness.close()
    }

    @Test func aPreviewOfAForbiddenPolicyOrOfTooMuchIsRefused() async throws {
        let harness = try await frozen([Self.turn(5)], domain: .document)
        let forbidden = await #expect(throws: RPCError.self) {
            try await harness.client.call(
                Datasets.previewAugmentation,
                .with {
                    $0.dataset = "datasets/pets"
                    $0.policy = .with { $0.steps = [Self.mirror] }
                })
        }
        #expect(forbidden?.toldReason == "TRANSFORM_FORBIDDEN")
        let large = await #expect(throws: RPCError.self) {
            try await harness.client.call(
                Datasets.previewAugmentation,
                .with {
                    ($0.dataset, $0.rowCount, $0.variantCount) = ("datasets/pets", 20, 10)
                    $0.cellSidePixels = 512
                })
        }
        #expect(large?.toldReason == "FIELD_INVALID")
        #expect(large?.message.contains("33554432") == true)
        await harness.close()
    }
}
