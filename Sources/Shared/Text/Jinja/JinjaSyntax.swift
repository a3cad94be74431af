/// A statement of a template.
indirect enum JinjaStatement: Sendable {
    case text(String)
    case output(JinjaExpression)
    case choice([Branch], otherwise: [JinjaStatement])
    case loop(JinjaLoop)
    case set(names: [String], attribute: String?, JinjaExpression)
    case setBlock(name: String, [JinjaStatement])
    case block([JinjaStatement])
    case breakLoop
    case continueLoop

    /// `if` or `elif`.
    struct Branch: Sendable {
        let condition: JinjaExpression
        let body: [JinjaStatement]
    }
}

/// `for names in source if condition`.
struct JinjaLoop: Sendable {
    let names: [String]
    let source: JinjaExpression
    let condition: JinjaExpression?
    let body: [JinjaStatement]
    let otherwise: [JinjaStatement]
}

/// An expression and the line it stands on.
struct JinjaExpression: Sendable {
    let line: Int
    let node: Node

    indirect enum Node: Sendable {
        case literal(JinjaValue)
        case name(String)
        case list([JinjaExpression])
        case object([(JinjaExpression, JinjaExpression)])
        case attribute(JinjaExpression, String)
        case item(JinjaExpression, JinjaExpression)
        case slice(JinjaExpression, Bounds)
        case call(JinjaExpression, Arguments)
        case filter(JinjaExpression, String, Arguments)
        case test(JinjaExpression, String, Arguments, isNegated: Bool)
        case not(JinjaExpression)
        case negative(JinjaExpression)
        case binary(String, JinjaExpression, JinjaExpression)
        case either(JinjaExpression, if: JinjaExpression, otherwise: JinjaExpression?)
    }

    /// `[from:to:by]`.
    struct Bounds: Sendable {
        var from, to, by: JinjaExpression?
    }

    /// What stands between the parentheses of a call.
    struct Arguments: Sendable {
        var plain: [JinjaExpression] = []
        var named: [(String, JinjaExpression)] = []
    }
}
