/// Why a step of a policy is refused, or unusual.
package struct PolicyProblem: Sendable, Hashable {
    /// How bad it is.
    package enum Severity: Sendable {
        /// The step can be done, but production seldom does it.
        case unusual
        /// A value outside of its range, whatever the images show.
        case invalid
        /// The domain forbids it.
        case forbidden
    }

    /// Place of the step, such as "steps[2].rotate".
    package let field: String
    /// What was given, what is allowed, and why.
    package let message: String
    package let severity: Severity

    /// A problem of a step, or of the whole policy.
    package init(field: String, message: String, severity: Severity) {
        (self.field, self.message, self.severity) = (field, message, severity)
    }

    /// Whether the policy cannot be used; else it is only unusual.
    package var isRefusal: Bool { severity != .unusual }
}

extension AugmentationPolicy {
    /// What is wrong with a policy for a domain; empty if nothing.
    ///
    /// - Parameter answersNameColors: whether answers speak of colours, which a change of colour
    ///   would make wrong
    package func problems(
        for domain: AugmentationDomain, answersNameColors: Bool = false
    ) -> [PolicyProblem] {
        var rules = PolicyRules(domain: domain)
        rules.range("untouched_share", untouchedShare, 0, 1)
        if steps.count > Self.stepsMax {
            rules.reject("steps", "\(steps.count) steps; at most \(Self.stepsMax) are allowed")
        }
        for (index, step) in steps.prefix(Self.stepsMax).enumerated() {
            let field = "steps[\(index)]"
            rules.range("\(field).probability", step.probability, 0, 1)
            rules.check(step.transform, "\(field).\(step.transform.name)", answersNameColors)
        }
        return rules.problems
    }
}

private struct PolicyRules {
    let domain: AugmentationDomain
    var problems: [PolicyProblem] = []

    mutating func refuse(_ field: String, _ message: String) {
        problems.append(PolicyProblem(field: field, message: message, severity: .forbidden))
    }

    mutating func reject(_ field: String, _ message: String) {
        problems.append(PolicyProblem(field: field, message: message, severity: .invalid))
    }

    mutating func warn(_ field: String, _ message: String) {
        problems.append(PolicyProblem(field: field, message: message, severity: .unusual))
    }

    /// Also false for what is no number.
    mutating func range(_ field: String, _ value: Double, _ low: Double, _ high: Double) {
        if !(value >= low && value <= high) {
            reject(field, "\(value) is given; \(low) to \(high) are allowed")
        }
    }

    mutating func check(_ transform: Transform, _ field: String, _ answersNameColors: Bool) {
        switch transform {
        case .rotate(let most, let step, _): rotate(most, step, field)
        case .flip(let horizontal, let vertical): flip(horizontal, vertical, field)
        case .crop(let area, let aspect):
            range("\(field).area_share_min", area, 0.1, 1)
            range("\(field).aspect_factor_max", aspect, 1, 4)
            if domain == .document, area < 0.9 {
                refuse(
                    field, "\(area) of the area is kept; documents need 0.9, fields lie at edges")
            }
        case .brightness(let low, let high), .contrast(let low, let high):
            range("\(field).factor_min", low, 0.2, 1)
            range("\(field).factor_max", high, 1, 3)
        case .color(let low, let high, let hue):
            color(low, high, hue, field, answersNameColors)
        case .resolution(let scale):
            range("\(field).scale_min", scale, 0.1, 1)
            if domain == .document, scale < 0.4 {
                warn(field, "scale \(scale): below 0.4 small print cannot be read by anyone")
            }
        case .blur(let sigma): range("\(field).sigma_pixels_max", sigma, 0, 10)
        case .sensorNoise(let read, let shot):
            range("\(field).read_levels_max", read, 0, 64)
            range("\(field).shot_levels_max", shot, 0, 64)
        case .jpeg(let low, let high):
            range("\(field).quality_min", Double(low), 5, 100)
            range("\(field).quality_max", Double(high), Double(low), 100)
            if domain == .medical, low < 70 {
                warn(field, "quality \(low): blocks look like findings in medical images")
            }
        case .perspective(let share): perspective(share, field)
        }
    }

    private mutating func rotate(_ most: Double, _ step: Int, _ field: String) {
        range("\(field).degrees_max", most, 0, 180)
        if ![0, 90, 180].contains(step) {
            reject("\(field).step_degrees", "\(step) is given; 0, 90 and 180 are allowed")
        }
        let (limit, reason): (Double, String) =
            switch domain {
            case .document: (5, "text turned further, or upside down, is no page that is read")
            case .medical: (15, "a body lies as it lies; more hides its axis")
            default: (180, "")
            }
        if most > limit {
            refuse(field, "\(most) degrees are given; at most \(limit) are allowed: \(reason)")
        } else if domain == .defect, most > 15, step == 0 {
            warn(field, "\(most) degrees; parts under a fixed camera turn by at most 15")
        } else if domain == .generic, most > 45 {
            warn(field, "\(most) degrees; photographs are seldom turned by more than 45")
        }
    }

    private mutating func flip(_ horizontal: Bool, _ vertical: Bool, _ field: String) {
        guard horizontal || vertical else {
            reject(field, "neither side is given; horizontal, vertical or both are needed")
            return
        }
        switch domain {
        case .document: refuse(field, "a document is never mirrored: text would not be text")
        case .medical: refuse(field, "a mirrored image has its left and right exchanged")
        case .generic where vertical: warn(field, "photographs are seldom upside down")
        default: break
        }
    }

    private mutating func color(
        _ low: Double, _ high: Double, _ hue: Double, _ field: String, _ answersNameColors: Bool
    ) {
        range("\(field).saturation_min", low, 0, 1)
        range("\(field).saturation_max", high, 1, 3)
        range("\(field).hue_degrees_max", hue, 0, 180)
        if answersNameColors {
            refuse(field, "answers of the dataset name colours, which would become wrong")
        } else if domain == .medical, hue > 10 {
            refuse(field, "hue by \(hue) degrees; at most 10 are allowed, colour is a finding")
        }
    }

    private mutating func perspective(_ share: Double, _ field: String) {
        range("\(field).corner_share_max", share, 0, 0.4)
        if domain == .medical, share > 0 {
            refuse(field, "a medical image is no view at a slant: sizes in it are measured")
        } else if domain == .document, share > 0.15 {
            warn(field, "corners move by \(share); pages are photographed at up to 0.15")
        }
    }
}
