import Base
import Messages

extension Everything {
    /// The message that scripts/make-goldens/messages.py calls `known`.
    static var known: Everything {
        var m = Everything()
        setScalars(&m)
        setOptionals(&m)
        setRepeated(&m)
        setMaps(&m)
        setNames(&m)
        m.choice = .choiceRecursive(.with { $0.other = .otherUint64(0) })
        m.other = .otherString("")
        return m
    }

    private static func setScalars(_ m: inout Everything) {
        m.doubleValue = 1.25
        m.floatValue = -2.5
        m.int32Value = -3
        m.int64Value = -4_000_000_000
        m.uint32Value = 4_000_000_005
        m.uint64Value = 18_000_000_000_000_000_006
        m.sint32Value = -7
        m.sint64Value = -8_000_000_000
        m.fixed32Value = 9
        m.fixed64Value = 10
        m.sfixed32Value = -11
        m.sfixed64Value = -12
        m.boolValue = true
        m.stringValue = "fourteen é"
        m.bytesValue = [0x00, 0x0f, 0xff]
        m.shade = .dark
        m.inner = .one
        m.nested = .with {
            $0.number = 18
            $0.text = "eighteen"
        }
        m.recursive = .with {
            $0.int32Value = 19
            $0.recursive = .with { $0.stringValue = "deeper" }
        }
    }

    private static func setOptionals(_ m: inout Everything) {
        m.optionalDouble = 0
        m.optionalInt32 = 0
        m.optionalUint64 = 0
        m.optionalBool = false
        m.optionalString = ""
        m.optionalBytes = Bytes()
        m.optionalShade = .unspecified
        m.optionalNested = Nested()
    }

    private static func setRepeated(_ m: inout Everything) {
        m.repeatedDouble = [0, 1.5]
        m.repeatedFloat = [0, 2.5]
        m.repeatedInt32 = [0, -1, .max]
        m.repeatedSint64 = [0, -1, .min]
        m.repeatedFixed32 = [0, .max]
        m.repeatedBool = [true, false, true]
        m.repeatedShade = [.unspecified, .dark, .negative, EchoTest.Shade(rawValue: 5)]
        m.unpackedInt32 = [0, -1, 5]
        m.unpackedShade = [.default, .self_, .unspecified]
        m.repeatedString = ["", "b", ""]
        m.repeatedBytes = [Bytes(), [0], Bytes()]
        m.repeatedNested = [Nested(), .with { $0.number = 2 }]
        m.repeatedRecursive = [.with { $0.far = "away" }]
        m.repeatedUint64 = [0, .max]
    }

    private static func setMaps(_ m: inout Everything) {
        m.labels = ["key": "value", "other": "thing"]
        m.nestedByNumber = [-5: .with { $0.number = 1 }, 6: .with { $0.text = "six" }]
        m.shadeByFlag = [true: .light]
        m.bytesByName = ["raw": [1, 2]]
        m.doubleByNumber = [-3: 0.5]
    }

    private static func setNames(_ m: inout Everything) {
        m.self_ = "self"
        m.class = "class"
        m.default = 83
        m.type = "type"
        m.init_ = true
        m.in = [86]
        m.protocol = "protocol"
        m.namespace = "namespace"
        m.register = 89
        m.description = "description"
        m.oddName2x = 91
        m.far = "far"
    }
}
