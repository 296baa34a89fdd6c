#include "imapd/commands/fetch-request.h"

#include <algorithm>

#include "lib-base/text.h"
#include "lib-imap/parser.h"

namespace culver {

namespace {

constexpr std::size_t kItemLimit = 1000;

void add_structure(MessageItem::Kind kind, FetchRequest& request) {
    for (const MessageItem& item : request.message_items)
        if (item.kind == kind) return;
    request.message_items.push_back({kind, {}});
}

void add_section(BodySection section, FetchRequest& request) {
    for (const MessageItem& item : request.message_items)
        if (item.kind == MessageItem::Kind::Section && item.section.label == section.label && !section.partial) return;
    request.message_items.push_back({MessageItem::Kind::Section, std::move(section)});
}

// RFC822, RFC822.HEADER, RFC822.TEXT: old names of sections.
bool add_rfc822(const std::string& name, FetchRequest& request) {
    BodySection section;
    section.label = name;
    if (name == "RFC822.HEADER") section.what = BodySection::What::Header;
    else if (name == "RFC822.TEXT") section.what = BodySection::What::Text;
    else if (name != "RFC822") return false;
    if (name != "RFC822.HEADER") request.sets_seen = true;
    add_section(std::move(section), request);
    return true;
}

bool add_index_item(const std::string& name, FetchRequest& request) {
    static constexpr std::pair<std::string_view, IndexItem> kItems[] = {{"UID", IndexItem::Uid},
                                                                        {"FLAGS", IndexItem::Flags},
                                                                        {"INTERNALDATE", IndexItem::InternalDate},
                                                                        {"RFC822.SIZE", IndexItem::Size},
                                                                        {"MODSEQ", IndexItem::ModSeq},
                                                                        {"X-GUID", IndexItem::Guid},
                                                                        {"SAVEDATE", IndexItem::SaveDate},
                                                                        {"X-SAVEDATE", IndexItem::SaveDate}};
    for (const auto& [known, item] : kItems) {
        if (name != known) continue;
        request.add(item);
        return true;
    }
    return false;
}

void parse_item(Parser& in, FetchRequest& request) {
    if (in.peek() != Parser::Token::Atom) return in.fail("FETCH list contains non-atoms");
    const std::string_view word = in.peek_atom();
    const std::string name = to_upper(word.substr(0, word.find('[')));
    if (request.message_items.size() == kItemLimit) return in.fail("Too many FETCH items");
    if (word.size() > name.size() || name == "BODY.PEEK") {
        if (name == "BODY" || name == "BODY.PEEK") {
            if (name == "BODY") request.sets_seen = true;
            return add_section(parse_body_section(in, name), request);
        }
        return in.fail("Unknown parameter: " + to_upper(word));
    }
    in.atom();
    if (add_index_item(name, request) || add_rfc822(name, request)) return;
    if (name == "ENVELOPE") add_structure(MessageItem::Kind::Envelope, request);
    else if (name == "BODY") add_structure(MessageItem::Kind::Body, request);
    else if (name == "BODYSTRUCTURE") add_structure(MessageItem::Kind::BodyStructure, request);
    else in.fail((name.starts_with("RFC822.") ? "Unknown parameter " : "Unknown parameter: ") + name);
}

// ALL, FAST and FULL stand alone.
bool parse_macro(Parser& in, FetchRequest& request) {
    const bool fast = in.skip_atom("FAST");
    const bool all = !fast && in.skip_atom("ALL");
    const bool full = !fast && !all && in.skip_atom("FULL");
    if (!fast && !all && !full) return false;
    request.add(IndexItem::Flags);
    request.add(IndexItem::InternalDate);
    request.add(IndexItem::Size);
    if (!fast) add_structure(MessageItem::Kind::Envelope, request);
    if (full) add_structure(MessageItem::Kind::Body, request);
    return true;
}

void parse_modifiers(Parser& in, FetchRequest& request) {
    in.open_list();
    while (in.more()) {
        if (in.keyword() != "CHANGEDSINCE") in.fail("Unknown FETCH modifier");
        request.changed_since = in.number64("Invalid CHANGEDSINCE modseq");
        if (request.changed_since == 0u) in.fail("Invalid CHANGEDSINCE modseq");
    }
    in.close_list();
    request.add(IndexItem::ModSeq);
}

}  // namespace

bool FetchRequest::has(IndexItem item) const {
    return std::find(index_items.begin(), index_items.end(), item) != index_items.end();
}

void FetchRequest::add(IndexItem item) {
    if (!has(item)) index_items.push_back(item);
}

FetchRequest parse_fetch(Parser& in, bool uid_first) {
    FetchRequest request;
    if (uid_first) request.add(IndexItem::Uid);
    in.space();
    request.messages = uid_first ? in.uid_set() : in.sequence_set();
    in.space();
    if (in.next_is_list()) {
        in.open_list();
        if (!in.more()) in.fail("FETCH list is empty");
        while (in.more()) parse_item(in, request);
        in.close_list();
    } else if (!parse_macro(in, request)) {
        if (in.peek() != Parser::Token::Atom) in.fail(Parser::kInvalid);
        else parse_item(in, request);
    }
    if (in.next_is_list()) parse_modifiers(in, request);
    in.end();
    return request;
}

}  // namespace culver
