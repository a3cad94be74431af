import Foundation
import Text

/// One answer being held against a schema.
struct SchemaValidation {
    let schema: AnswerSchema
    private(set) var problems: [AnswerProblem] = []
    private var steps = 0

    /// More are not listed for one answer.
    private static let problemsMax = 100

    init(schema: AnswerSchema) { self.schema = schema }

    /// Where in the answer, and how many schemas deep.
    struct Place {
        let pointer: String
        let depth: Int

        func child(_ name: String) -> Place {
            let escaped = name.replacing("~", with: "~0").replacing("/", with: "~1")
            return Place(pointer: "\(pointer)/\(escaped)", depth: depth + 1)
        }

        var deeper: Place { Place(pointer: pointer, depth: depth + 1) }
    }

    private mutating func report(_ rule: AnswerRule, _ place: Place, _ message: String) {
        guard problems.count < Self.problemsMax else { return }
        problems.append(AnswerProblem(rule, place.pointer, message))
    }

    /// Adds what is wrong with `node`.
    mutating func check(_ node: JSONNode, _ rules: JSONNode, _ place: Place) {
        steps += 1
        guard steps <= AnswerSchema.stepsMax, place.depth <= 256 else {
            if problems.last?.rule != .schemaTooDeep {
                report(.schemaTooDeep, place, "more than \(AnswerSchema.stepsMax) steps needed")
            }
            return
        }
        if let truth = rules.bool {
            if !truth { report(.schemaValue, place, "nothing is allowed here") }
            return
        }
        if let reference = rules["$ref"]?.string, let target = schema.resolve(reference) {
            check(node, target, place.deeper)
        }
        guard isOfType(node, rules, place) else { return }
        checkValues(node, rules, place)
        checkChoices(node, rules, place)
        if node.isObject { checkObject(node, rules, place) }
        if node.isArray { checkArray(node, rules, place) }
        if let text = node.string {
            let count = text.unicodeScalars.count
            checkCount(count, "characters", rules, ("minLength", "maxLength"), place)
        }
        if let number = node.double { checkNumber(number, rules, place) }
    }

    private mutating func isOfType(
        _ node: JSONNode, _ rules: JSONNode, _ place: Place
    ) -> Bool {
        guard let type = rules["type"] else { return true }
        let allowed = type.string.map { [$0] } ?? type.elements.compactMap(\.string)
        if allowed.contains(where: { Self.isOf($0, node) }) { return true }
        let names = allowed.joined(separator: " or ")
        report(.schemaType, place, "\(node.sample) stands where \(names) is wanted")
        return false
    }

    private static func isOf(_ type: String, _ node: JSONNode) -> Bool {
        switch type {
        case "object": node.isObject
        case "array": node.isArray
        case "string": node.isString
        case "boolean": node.bool != nil
        case "null": node.isNull
        case "number": node.double != nil
        case "integer": node.double.map { $0.rounded() == $0 } ?? false
        default: false
        }
    }

    private mutating func checkValues(_ node: JSONNode, _ rules: JSONNode, _ place: Place) {
        if let wanted = rules["const"], !Self.isSame(node, wanted) {
            report(.schemaValue, place, "\(node.sample) stands where \(wanted.sample) is wanted")
        }
        if let allowed = rules["enum"],
            !allowed.elements.contains(where: { Self.isSame(node, $0) })
        {
            let names = allowed.elements.prefix(20).map(\.sample).joined(separator: ", ")
            report(.schemaValue, place, "\(node.sample) is none of \(names)")
        }
    }

    /// How many of the schemas fit.
    private mutating func fitting(
        _ node: JSONNode, _ choices: JSONNode, _ place: Place
    ) -> Int {
        var fitting = 0
        for choice in choices.elements {
            var trial = SchemaValidation(schema: schema)
            trial.steps = steps
            trial.check(node, choice, place.deeper)
            steps = trial.steps
            if trial.problems.isEmpty { fitting += 1 }
        }
        return fitting
    }

    private mutating func checkChoices(_ node: JSONNode, _ rules: JSONNode, _ place: Place) {
        for part in rules["allOf"]?.elements.map({ $0 }) ?? [] { check(node, part, place.deeper) }
        if let choices = rules["anyOf"], fitting(node, choices, place) == 0 {
            report(.schemaChoice, place, "\(node.sample) fits none of \(choices.count) schemas")
        }
        if let choices = rules["oneOf"] {
            let count = fitting(node, choices, place)
            if count != 1 {
                report(
                    .schemaChoice, place,
                    "\(node.sample) fits \(count) of \(choices.count) schemas; 1 is wanted")
            }
        }
        if let unwanted = rules["not"] {
            var trial = SchemaValidation(schema: schema)
            trial.steps = steps
            trial.check(node, unwanted, place.deeper)
            steps = trial.steps
            if trial.problems.isEmpty {
                report(.schemaChoice, place, "\(node.sample) is what it must not be")
            }
        }
    }

    private mutating func checkObject(_ node: JSONNode, _ rules: JSONNode, _ place: Place) {
        let names = Set(node.members.compactMap(\.key.string))
        checkCount(names.count, "fields", rules, ("minProperties", "maxProperties"), place)
        for wanted in rules["required"]?.elements.compactMap(\.string) ?? []
        where !names.contains(wanted) {
            report(.schemaMissing, place.child(wanted), "the field is missing")
        }
        let known = rules["properties"]
        let others = rules["additionalProperties"]
        for (key, value) in node.members {
            let name = key.string ?? ""
            if let own = known?[name] {
                check(value, own, place.child(name))
            } else if others?.bool == false {
                report(.schemaUnknown, place.child(name), "the schema has no such field")
            } else if let others {
                check(value, others, place.child(name))
            }
        }
    }

    private mutating func checkArray(_ node: JSONNode, _ rules: JSONNode, _ place: Place) {
        checkCount(node.count, "elements", rules, ("minItems", "maxItems"), place)
        if let items = rules["items"] {
            for (index, element) in node.elements.enumerated() {
                check(element, items, place.child("\(index)"))
            }
        }
        if rules["uniqueItems"]?.bool == true {
            let keys = node.elements.map(Self.canonical)
            if Set(keys).count < keys.count {
                report(.schemaValue, place, "\(keys.count) elements, not all different")
            }
        }
    }

    private mutating func checkCount(
        _ count: Int, _ what: String, _ rules: JSONNode, _ names: (String, String),
        _ place: Place
    ) {
        if let least = rules[names.0]?.double, Double(count) < least {
            report(.schemaRange, place, "\(count) \(what); at least \(least) are wanted")
        }
        if let most = rules[names.1]?.double, Double(count) > most {
            report(.schemaRange, place, "\(count) \(what); at most \(most) are allowed")
        }
    }

    private mutating func checkNumber(_ number: Double, _ rules: JSONNode, _ place: Place) {
        let limits: [(String, String, (Double, Double) -> Bool)] = [
            ("minimum", "at least", { $0 >= $1 }), ("maximum", "at most", { $0 <= $1 }),
            ("exclusiveMinimum", "above", { $0 > $1 }),
            ("exclusiveMaximum", "below", { $0 < $1 }),
        ]
        for (name, words, fits) in limits {
            if let limit = rules[name]?.double, !fits(number, limit) {
                report(.schemaRange, place, "\(number) seen; \(words) \(limit) is wanted")
            }
        }
        if let step = rules["multipleOf"]?.double, step > 0 {
            let quotient = number / step
            if abs(quotient - quotient.rounded()) > 1e-9 * max(1, abs(quotient)) {
                report(.schemaRange, place, "\(number) is no multiple of \(step)")
            }
        }
    }

    private static func isSame(_ a: JSONNode, _ b: JSONNode) -> Bool {
        canonical(a) == canonical(b)
    }

    /// The same text for equal values: names sorted, numbers by value, strings by their bytes.
    private static func canonical(_ node: JSONNode) -> [UInt8] {
        if node.isString { return Array("\"".utf8) + node.stringBytes + [0] }
        if node.isArray { return [0x5b] + node.elements.flatMap(canonical) + [0x5d] }
        if node.isObject {
            let members = node.members.map { canonical($0.key) + canonical($0.value) }
            return [0x7b] + members.sorted { $0.lexicographicallyPrecedes($1) }.joined() + [0x7d]
        }
        if let number = node.double { return Array("\(number);".utf8) }
        return Array("\(node.sample);".utf8)
    }
}
