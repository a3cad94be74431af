import Quality
import Testing
import Text

@Suite struct AnswerGoldenTests {
    @Test func schemasAcceptAndRefuseAsJsonschemaDoes() throws {
        var (valid, invalid) = (0, 0)
        for golden in try GoldenFile.read("answers").needed("schemas").elements {
            let schema = try AnswerSchema(golden.needed("schema").string ?? "")
            for answer in try golden.needed("answers").elements {
                let text = try answer.needed("answer").string ?? ""
                let isValid = try answer.needed("valid").bool ?? false
                let problems = schema.problems(in: text)
                #expect(problems.isEmpty == isValid, "\(text): \(problems)")
                if isValid { valid += 1 } else { invalid += 1 }
            }
        }
        #expect(valid >= 10)
        #expect(invalid >= 15)
    }

    @Test func driftHasTheProbabilityOfFishersTest() throws {
        for golden in try GoldenFile.read("answers").needed("drifts").elements {
            let table = try golden.needed("table").elements.map(\.whole)
            let (now, before) = (table[0], table[1])
            let record = GoldRecord(
                [true].repeated(before[0]) + [false].repeated(before[1])
                    + [true].repeated(now[0]) + [false].repeated(now[1]),
                window: now[0] + now[1])
            let expected = try golden.needed("probability").double
            #expect(isClose(record.driftProbability, expected))
            #expect(record.isDrifting == ((expected ?? 1) <= 0.05))
        }
    }
}

extension Array {
    fileprivate func repeated(_ count: Int) -> [Element] {
        (0..<count).flatMap { _ in self }
    }
}
