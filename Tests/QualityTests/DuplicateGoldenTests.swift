import Foundation
import Quality
import Testing
import Text

/// A grey picture of a golden file.
func grey(_ node: JSONNode?, width: Int, height: Int) throws -> GreyImage {
    let text = try #require(node?.string)
    let decoded = Foundation.Data(base64Encoded: text)
    let bytes = try #require(decoded)
    return try #require(GreyImage(width: width, height: height, pixels: Array(bytes)))
}

@Suite struct DuplicateGoldenTests {
    /// Both start from a thumbnail of the final size: how it is made is each one's own choice.
    @Test func hashesEqualThoseOfImageHash() throws {
        let cases = try GoldenFile.read("hashes").elements.map { $0 }
        #expect(cases.count >= 15)
        for golden in cases {
            let square = try grey(golden["square"], width: 32, height: 32)
            let strip = try grey(golden["strip"], width: 9, height: 8)
            let name = golden["name"]?.string ?? ""
            let frequencies = String(PerceptualHash.frequencies(square), radix: 16)
            #expect(frequencies == golden["frequencies"]?.string?.withoutZeros, "\(name)")
            let differences = String(PerceptualHash.differences(strip), radix: 16)
            #expect(differences == golden["differences"]?.string?.withoutZeros, "\(name)")
        }
    }

    /// Every variant is found at the distance that the service takes by default, and no two
    /// pictures are taken for one.
    @Test func variantsOfRealPicturesAreFoundAndOthersAreNot() throws {
        var hashes: [UInt64] = []
        var owners: [Int] = []
        var names: [String] = []
        for (owner, golden) in try GoldenFile.read("variants").elements.enumerated() {
            let original = try grey(golden["original"], width: 32, height: 32)
            #expect(!PerceptualHash.isFlat(original))
            hashes.append(PerceptualHash.frequencies(original))
            owners.append(owner)
            names.append("original")
            for (key, variant) in try golden.needed("variants").members {
                let image = try grey(variant, width: 32, height: 32)
                hashes.append(PerceptualHash.frequencies(image))
                owners.append(owner)
                names.append(key.string ?? "")
            }
        }
        let clusters = DuplicateClusters(of: hashes, distanceMax: 6)
        var missed: [String: Int] = [:]
        for place in hashes.indices where names[place] != "original" {
            let original = try #require(owners.firstIndex(of: owners[place]))
            if clusters.firsts[place] != clusters.firsts[original] {
                missed[names[place], default: 0] += 1
            }
        }
        let variants = names.count { $0 != "original" }
        let recall = 1 - Double(missed.values.reduce(0, +)) / Double(variants)
        #expect(recall >= 0.95, "recall \(recall) of \(variants), missed \(missed)")
        for members in clusters.clusters { #expect(Set(members.map { owners[$0] }).count == 1) }
    }
}

extension String {
    fileprivate var withoutZeros: String {
        let rest = drop { $0 == "0" }
        return rest.isEmpty ? "0" : String(rest)
    }
}
