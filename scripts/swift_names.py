"""How names of the proto files look in C (as protoc-c makes them) and in Swift."""

# Words that need backticks when they name a Swift declaration.
SWIFT_KEYWORDS = set(
    """associatedtype class deinit enum extension fileprivate func import inout internal let open
    operator private precedencegroup protocol public rethrows static struct subscript typealias var
    break case catch continue default defer do else fallthrough for guard if in repeat return throw
    switch where while Any as await false is nil super throws true try""".split()
)
# Words that mean something else after a dot, even in backticks.
SWIFT_RESERVED_MEMBERS = {"self", "Self", "init", "Type", "Protocol"}
# Members that every message or enum already has.
MESSAGE_MEMBERS = {"hashValue", "hash"}
ENUM_MEMBERS = {"rawValue", "name", "description", "hashValue", "hash", "isKnown", "allKnown",
                "enumName"}
# Names that generated code relies on; a type of the proto files must not hide them.
SWIFT_TYPES = set(
    """String Int Int32 Int64 UInt32 UInt64 Float Double Bool Bytes Array Dictionary Optional
    Sendable Hashable Box WireError WireMessage WireReader WireWriter CBacked OpenEnum MethodPath
    MethodEntry ServiceEntry UnaryMethod ClientStreamMethod ServerStreamMethod BidirectionalMethod
    UnsafePointer UnsafeMutablePointer UnsafeMutableRawPointer ProtobufCMessageDescriptor Messages
    Descriptors StatusDetails DecodeLimits Services""".split()
)
ACRONYMS = {"id": "ID", "ids": "IDs", "url": "URL", "uri": "URI", "http": "HTTP",
            "https": "HTTPS", "json": "JSON"}
# protoc-c's list, from c_helpers.cc of protobuf-c 1.4.1.
C_KEYWORDS = set(
    """and and_eq asm auto bitand bitor bool break case catch char class compl const const_cast
    continue default delete do double dynamic_cast else enum explicit extern false float for friend
    goto if inline int long mutable namespace new not not_eq operator or or_eq private protected
    public register reinterpret_cast return short signed sizeof static static_cast struct switch
    template this throw true try typedef typeid typename union unsigned using virtual void volatile
    wchar_t while xor xor_eq""".split()
)


def quoted(name):
    """A Swift declaration's name, in backticks if it is a keyword."""
    return f"`{name}`" if name in SWIFT_KEYWORDS else name


def lower_first(word):
    """`GetThing` -> `getThing`, `QAReport` -> `qaReport`."""
    upper = 0
    while upper < len(word) and word[upper].isupper():
        upper += 1
    if upper > 1 and upper < len(word):
        upper -= 1
    return word[:upper].lower() + word[upper:]


def camel(name):
    """`dataset_id` -> `datasetID`."""
    words = [word for word in name.split("_") if word]
    rest = [ACRONYMS.get(word, word[0].upper() + word[1:]) for word in words[1:]]
    text = lower_first(words[0]) + "".join(rest)
    return "_" + text if text[0].isdigit() else text


def member(name, taken):
    """A member's name that clashes with nothing."""
    text = camel(name)
    return text + "_" if text in SWIFT_RESERVED_MEMBERS | taken else text


def type_name(name):
    """A message's or enum's name."""
    if name == "Any":
        return "AnyMessage"
    return name + "_" if name in SWIFT_RESERVED_MEMBERS else name


def upper_snake(name):
    """`TaskType` -> `TASK_TYPE`."""
    text = ""
    for index, letter in enumerate(name):
        after = name[index + 1] if index + 1 < len(name) else ""
        if letter.isupper() and index > 0:
            if not name[index - 1].isupper() or (after and after.islower()):
                text += "_"
        text += letter.upper()
    return text


def enum_value(value, enum):
    """`TASK_TYPE_GENERATION` of `TaskType` -> `generation`."""
    for prefix in (upper_snake(enum) + "_", enum.upper() + "_"):
        if value.startswith(prefix) and len(value) > len(prefix):
            value = value[len(prefix):]
            break
    return member(value.lower(), ENUM_MEMBERS)


# protoc-c


def c_camel(name):
    text, upper = "", True
    for letter in name:
        if letter == "_":
            upper = True
        else:
            text += letter.upper() if upper else letter
            upper = False
    return text


def c_snake(name):
    text, was_upper = "", True
    for letter in name:
        if letter.isupper() and not was_upper:
            text += "_"
        text += letter.lower()
        was_upper = letter.isupper()
    return text


def c_type(full_name):
    """`.a.b_c.Thing` -> `A__BC__Thing`."""
    return "__".join(c_camel(part) for part in full_name.strip(".").split("."))


def c_function(full_name):
    """`.a.b.BigThing` -> `a__b__big_thing`."""
    return "__".join(c_snake(part) for part in full_name.strip(".").split("."))


def c_field(name):
    text = name.lower()
    return text + "_" if text in C_KEYWORDS else text


def c_member(name):
    """A C field as written after a dot in Swift."""
    quoted_names = SWIFT_RESERVED_MEMBERS | SWIFT_KEYWORDS
    return f"`{name}`" if name in quoted_names else name
