// SPDX-License-Identifier: Apache-2.0

import CLibYAML
import PolicyModel

/// What is wrong with the YAML itself.
struct YAMLError: Error, Hashable, Sendable {
    var code: DiagnosticCode
    var start: YAMLMark
    var end: YAMLMark?
    var message: String
    var remedy: String?
    /// The earlier of two places, with what it is.
    var first: YAMLMark?
}

/// One step of the text as libyaml sees it, copied out of its buffers.
struct YAMLEvent {
    enum Kind {
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(YAMLScalar)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        /// Start and end of the stream, and whatever a later libyaml adds.
        case other
    }

    let kind: Kind
    let anchor: String?
    let tag: String?
    let start: YAMLMark
    let end: YAMLMark
}

/// The only code that touches libyaml.
///
/// The parser holds a pointer to itself and one to the text, hence heap storage of its own and a copy of the bytes.
@safe final class YAMLEventReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>
    /// The same bytes, for the places of errors.
    private let bytes: [UInt8]

    /// Fails if libyaml cannot allocate its buffers.
    init(_ file: [UInt8]) throws(YAMLError) {
        // A byte order mark would count as a column of the first line.
        let bytes = file.starts(with: [0xef, 0xbb, 0xbf]) ? Array(file.dropFirst(3)) : file
        self.bytes = bytes
        unsafe parser = .allocate(capacity: 1)
        unsafe text = .allocate(capacity: bytes.count)
        unsafe _ = text.initialize(from: bytes)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe text.deallocate()
            unsafe parser.deallocate()
            throw YAMLError(
                code: .unreadable, start: YAMLMark(line: 1, column: 1), message: "out of memory for the YAML parser")
        }
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next event; after an error nothing more can be read.
    func next() throws(YAMLError) -> YAMLEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { unsafe yaml_event_delete(&event) }
        return unsafe YAMLEventReader.convert(event)
    }

    private static func convert(_ event: yaml_event_t) -> YAMLEvent {
        var kind = YAMLEvent.Kind.other
        var anchor: String?
        var tag: String?
        switch unsafe event.type {
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_ALIAS_EVENT: kind = .alias(unsafe string(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            unsafe (anchor, tag) = (string(scalar.anchor), string(scalar.tag))
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let text = unsafe String(decoding: bytes, as: UTF8.self)
            let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE && tag != "tag:yaml.org,2002:str"
            kind = .scalar(YAMLScalar(text: text, isPlain: isPlain))
        case YAML_SEQUENCE_START_EVENT:
            let sequence = unsafe event.data.sequence_start
            unsafe (anchor, tag) = (string(sequence.anchor), string(sequence.tag))
            kind = .sequenceStart
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            let mapping = unsafe event.data.mapping_start
            unsafe (anchor, tag) = (string(mapping.anchor), string(mapping.tag))
            kind = .mappingStart
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        default: break
        }
        return unsafe YAMLEvent(
            kind: kind, anchor: anchor, tag: tag, start: mark(event.start_mark), end: mark(event.end_mark))
    }

    private static func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe pointer.map { unsafe String(cString: $0) }
    }

    private static func mark(_ mark: yaml_mark_t) -> YAMLMark {
        YAMLMark(line: mark.line + 1, column: mark.column + 1)
    }

    private func syntaxError() -> YAMLError {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "cannot be parsed"
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) }
        guard unsafe parser.pointee.error != YAML_READER_ERROR else {
            return YAMLError(
                code: .syntax, start: unsafe place(ofByte: parser.pointee.problem_offset),
                message: "the text is not UTF-8: \(problem)",
                remedy: "save the file as UTF-8 without control characters")
        }
        let start = unsafe YAMLEventReader.mark(parser.pointee.problem_mark)
        return YAMLError(
            code: .syntax, start: start,
            message: "not valid YAML: " + (context.map { "\($0): " } ?? "") + problem,
            remedy: remedy(for: problem, line: start.line))
    }

    private func remedy(for problem: String, line: Int) -> String? {
        if problem.contains("cannot start any token") {
            let content = SourceText.line(line, of: bytes)
            if content.prefix(while: \.isWhitespace).contains("\t") { return "indent with spaces; YAML forbids tabs" }
            return "quote the value"
        }
        if problem.contains("mapping values are not allowed") {
            return "check the indentation of this line, or quote a value that holds `: `"
        }
        if problem.contains("did not find expected") { return "check the indentation and the brackets above this line" }
        return nil
    }

    private func place(ofByte offset: Int) -> YAMLMark {
        var mark = YAMLMark(line: 1, column: 1)
        var index = 0
        while index < min(offset, bytes.count) {
            let length = SourceText.breakLength(at: index, in: bytes)
            if length > 0 {
                mark = YAMLMark(line: mark.line + 1, column: 1)
            } else if bytes[index] & 0xc0 != 0x80 {
                mark.column += 1
            }
            index += max(1, length)
        }
        return mark
    }
}
