import Quality
import TestSupport
import Testing

@Suite struct DuplicateTests {
    /// Random hashes, with copies that differ in up to `bits` bits planted among them.
    private func hashes(_ count: Int, bits: Int, seed: UInt64) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        var hashes = (0..<count).map { _ in random.next() }
        for place in stride(from: 1, to: count, by: 5) {
            hashes[place] = hashes[Int.random(in: 0..<place, using: &random)]
            for _ in 0..<Int.random(in: 0...bits, using: &random) {
                hashes[place] ^= 1 << UInt64.random(in: 0..<64, using: &random)
            }
        }
        return hashes
    }

    /// The definition: all pairs compared, chains followed.
    private func firstsByComparingAll(_ hashes: [UInt64], _ distance: Int) -> [Int32] {
        var firsts = hashes.indices.map { Int32($0) }
        for (place, hash) in hashes.enumerated() {
            for other in 0..<place where (hash ^ hashes[other]).nonzeroBitCount <= distance {
                let (a, b) = (firsts[place], firsts[other])
                for index in 0...place where firsts[index] == max(a, b) {
                    firsts[index] = min(a, b)
                }
            }
        }
        return firsts
    }

    @Test(arguments: [0, 1, 3, 6, 10, 16])
    func theIndexFindsWhatComparingAllPairsFinds(distance: Int) {
        for (seed, count) in [(1, 2), (2, 60), (3, 700)] {
            let hashes = hashes(count, bits: 12, seed: UInt64(seed))
            let clusters = DuplicateClusters(of: hashes, distanceMax: distance)
            #expect(clusters.firsts == firstsByComparingAll(hashes, distance))
        }
    }

    @Test func manyHashesUseTheTablesAndStillMissNothing() {
        let hashes = hashes(20_000, bits: 6, seed: 9)
        let clusters = DuplicateClusters(of: hashes, distanceMax: 6)
        var random = SeededRandom(seed: 10)
        for _ in 0..<200 {
            let place = Int.random(in: 0..<hashes.count, using: &random)
            for (other, hash) in hashes.enumerated()
            where (hash ^ hashes[place]).nonzeroBitCount <= 6 {
                #expect(clusters.firsts[other] == clusters.firsts[place])
            }
        }
        #expect(clusters.distinctCount < 16_500)
        #expect(clusters.distinctCount > 15_000)
    }

    @Test func clustersNameTheirMembersAndDistances() {
        let clusters = DuplicateClusters(of: [7, 0xFFFF_0000, 7, 3, 0xFFFF_0001], distanceMax: 1)
        #expect(clusters.clusters == [[0, 2, 3], [1, 4]])
        #expect(clusters.nearestBits == [0, 1, 0, 1, 1])
        #expect(clusters.distinctCount == 2)
        #expect(DuplicateClusters(of: [], distanceMax: 6).clusters.isEmpty)
    }

    @Test func thousandsOfEqualPicturesAreOne() {
        let clusters = DuplicateClusters(of: Array(repeating: 5, count: 30_000), distanceMax: 6)
        #expect(clusters.distinctCount == 1)
    }

    @Test func theNearestPairAcrossLabelsIsFound() {
        let hashes: [UInt64] = [0, 1, 0xF00, 0xFF0F]
        let nearest = DuplicateClusters.nearestAcross(hashes, labels: [0, 0, 1, 2])
        #expect(nearest == 4)
        #expect(DuplicateClusters.nearestAcross(hashes, labels: [0, 0, 0, 0]) == nil)
        #expect(DuplicateClusters.nearestAcross([0, .max], labels: [0, 1]) == nil)
    }

    @Test func anEvenPictureHasNoHashToSpeakOf() throws {
        let even = try #require(
            GreyImage(width: 64, height: 40, pixels: Array(repeating: 250, count: 64 * 40)))
        #expect(PerceptualHash.isFlat(even))
        let slope = (0..<64 * 40).map { UInt8($0 % 64 * 4) }
        let gradient = try #require(GreyImage(width: 64, height: 40, pixels: slope))
        #expect(!PerceptualHash.isFlat(gradient))
    }

    @Test func picturesOfWrongSizesAreNone() {
        #expect(GreyImage(width: 0, height: 3, pixels: []) == nil)
        #expect(GreyImage(width: 2, height: 3, pixels: [1, 2, 3]) == nil)
        #expect(GreyImage(width: .max, height: .max, pixels: [1]) == nil)
        #expect(GreyImage(width: 1, height: 1, rgb: [1, 2]) == nil)
    }
}
