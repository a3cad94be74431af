import Images
import Quality
import Testing

@Suite struct AugmentationTests {
    private func refusals(
        _ transform: Transform, _ domain: AugmentationDomain, colors: Bool = false
    ) -> Int {
        AugmentationPolicy(steps: [AugmentationStep(0.5, transform)])
            .problems(for: domain, answersNameColors: colors).count { $0.isRefusal }
    }

    private func turn(_ degrees: Double, step: Int = 0) -> Transform {
        .rotate(degreesMax: degrees, stepDegrees: step, fillRGB: nil)
    }

    /// The two cases that the guide names.
    @Test func aDocumentUpsideDownIsRefusedAndADefectByFifteenDegreesIsNot() {
        #expect(refusals(turn(180, step: 180), .document) == 1)
        #expect(refusals(turn(15), .defect) == 0)
        let policy = AugmentationPolicy(steps: [AugmentationStep(1, turn(180, step: 180))])
        let problem = policy.problems(for: .document).first
        #expect(problem?.field == "steps[0].rotate")
        #expect(problem?.message.contains("180.0") == true)
        #expect(problem?.message.contains("5.0") == true)
    }

    @Test func whatHasNoMeaningInADomainIsRefused() {
        #expect(refusals(.flip(horizontal: true, vertical: false), .document) == 1)
        #expect(refusals(.flip(horizontal: true, vertical: false), .medical) == 1)
        #expect(refusals(.flip(horizontal: true, vertical: true), .aerial) == 0)
        #expect(refusals(.crop(areaShareMin: 0.5, aspectFactorMax: 1), .document) == 1)
        #expect(refusals(.crop(areaShareMin: 0.5, aspectFactorMax: 1), .generic) == 0)
        let color = Transform.color(saturationFrom: 0.8, to: 1.2, hueDegreesMax: 5)
        #expect(refusals(color, .generic, colors: true) == 1)
        #expect(refusals(color, .generic) == 0)
        #expect(refusals(.perspective(cornerShareMax: 0.1), .medical) == 1)
    }

    @Test func valuesOutsideTheirRangeAreRefused() {
        #expect(refusals(.brightness(from: 0.1, to: 5), .generic) == 2)
        #expect(refusals(.blur(sigmaPixelsMax: .nan), .generic) == 1)
        #expect(refusals(.jpeg(qualityFrom: 80, to: 60), .generic) == 1)
        #expect(refusals(turn(90, step: 45), .generic) == 1)
        let many = AugmentationPolicy(
            steps: Array(repeating: AugmentationStep(2, turn(1)), count: 40), untouchedShare: -1)
        #expect(many.problems(for: .generic).count { $0.isRefusal } == 34)
    }

    @Test(arguments: AugmentationDomain.allCases)
    func aPresetFitsItsOwnDomain(domain: AugmentationDomain) {
        let preset = AugmentationPolicy.preset(domain)
        #expect(preset.problems(for: domain).isEmpty)
        #expect(!preset.steps.isEmpty)
    }

    @Test func ownStepsTakeThePlaceOfThePresets() {
        let own = AugmentationPolicy(steps: [AugmentationStep(1, turn(2))])
        let whole = own.over(.preset(.document))
        #expect(whole.steps.count == AugmentationPolicy.preset(.document).steps.count)
        #expect(whole.steps.last == AugmentationStep(1, turn(2)))
    }

    @Test func drawsRepeatAndDependOnSeedEpochAndExample() {
        let policy = AugmentationPolicy.preset(.generic)
        let one = policy.drawn(seed: 1, epoch: 2, example: 3)
        #expect(one == policy.drawn(seed: 1, epoch: 2, example: 3))
        let others = [(2, 2, 3), (1, 3, 3), (1, 2, 4)].map { seed, epoch, example in
            (0..<8).map {
                policy.drawn(seed: UInt64(seed), epoch: epoch + 10 * $0, example: UInt64(example))
            }
        }
        let same = (0..<8).map { policy.drawn(seed: 1, epoch: 2 + 10 * $0, example: 3) }
        for other in others { #expect(other != same) }
    }

    @Test func addingAStepOfAnotherKindMovesNoValue() {
        let alone = AugmentationPolicy(steps: [AugmentationStep(1, turn(10))])
        let more = AugmentationPolicy(
            steps: [AugmentationStep(1, .blur(sigmaPixelsMax: 2)), AugmentationStep(1, turn(10))])
        for example in UInt64(0)..<20 {
            let first = alone.drawn(seed: 5, epoch: 0, example: example)
            #expect(more.drawn(seed: 5, epoch: 0, example: example).last == first.first)
        }
    }

    @Test func valuesStayInRangeAndSharesAreKept() {
        let policy = AugmentationPolicy(
            steps: [
                AugmentationStep(0.5, turn(15)),
                AugmentationStep(1, .crop(areaShareMin: 0.6, aspectFactorMax: 1.3)),
                AugmentationStep(1, .jpeg(qualityFrom: 30, to: 32)),
            ], untouchedShare: 0.25)
        var (untouched, turned) = (0, 0)
        var qualities: Set<Int> = []
        for example in UInt64(0)..<2_000 {
            let drawn = policy.drawn(seed: 9, epoch: 1, example: example)
            if drawn.isEmpty { untouched += 1 }
            for change in drawn {
                switch change {
                case .rotate(let degrees, _):
                    turned += 1
                    #expect(abs(degrees) <= 15)
                case .crop(let x, let y, let width, let height):
                    #expect(width * height >= 0.6 - 1e-9)
                    #expect(x >= 0 && y >= 0 && x + width <= 1 + 1e-9 && y + height <= 1 + 1e-9)
                case .jpeg(let quality): qualities.insert(quality)
                default: Issue.record("\(change)")
                }
            }
        }
        #expect((430...570).contains(untouched))
        #expect((680...820).contains(turned))
        #expect(qualities == [30, 31, 32])
    }

    @Test func rightAnglesAreEquallyLikely() {
        let policy = AugmentationPolicy(steps: [AugmentationStep(1, turn(180, step: 90))])
        var counts: [String: Int] = [:]
        for example in UInt64(0)..<2_000 {
            let drawn = policy.drawn(seed: 3, epoch: 0, example: example)
            counts[drawn.first?.description ?? "none", default: 0] += 1
        }
        #expect(counts.count == 4)
        #expect(counts.values.allSatisfy { (420...580).contains($0) })
    }

    /// Every preset, on pictures of awkward sizes; what comes out is a picture, and the same again.
    @Test(arguments: AugmentationDomain.allCases)
    func drawnChangesCanBeMade(domain: AugmentationDomain) throws {
        for (width, height) in [(1, 1), (3, 50), (40, 31)] {
            let bytes = (0..<width * height * 3).map { UInt8($0 * 7 % 256) }
            let built = RGBImage(width: width, height: height, pixels: bytes)
            let picture = try #require(built)
            for example in UInt64(0)..<12 {
                let changes = AugmentationPolicy.preset(domain)
                    .drawn(seed: 4, epoch: 0, example: example)
                let results = try (0..<2).map { _ in
                    try changes.reduce(picture) { try $1.applied(to: $0) }
                }
                #expect(results[0] == results[1])
                #expect(changes.isEmpty || results[0] != picture || width == 1)
            }
        }
    }

    @Test func rightAnglesMoveWholePixels() throws {
        let built = RGBImage(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
        let picture = try #require(built)
        let left = try AppliedTransform.rotate(degrees: 90, fillRGB: nil).applied(to: picture)
        #expect((left.width, left.height) == (1, 2))
        #expect(left.pixels == [4, 5, 6, 1, 2, 3])
        let half = try AppliedTransform.rotate(degrees: 180, fillRGB: nil).applied(to: picture)
        #expect(half.pixels == [4, 5, 6, 1, 2, 3])
    }

    @Test func aPictureBecomesItsBrightness() throws {
        let picture = RGBImage(width: 2, height: 2, filledWith: 90)
        #expect(GreyImage(picture).pixels == [90, 90, 90, 90])
    }
}
