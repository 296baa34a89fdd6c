#include "lib-smtp/data-receiver.h"

namespace culver {

std::size_t DataReceiver::feed(std::string_view input, const Sink& sink) {
    std::size_t begin = 0;  // of what has not been handed to the sink yet
    std::size_t at = 0;
    auto flush = [&](std::size_t end) {
        if (end > begin) sink(input.substr(begin, end - begin));
    };
    while (at < input.size() && state_ != State::End) {
        const char c = input[at];
        switch (state_) {
            case State::LineStart:
                if (c == '.') {  // not the message's unless a later byte says so
                    flush(at);
                    begin = ++at;
                    state_ = State::Dot;
                } else {
                    state_ = State::Text;
                }
                break;
            case State::Text: {
                auto cr = input.find('\r', at);
                if (cr == std::string_view::npos) {
                    at = input.size();
                } else {
                    at = cr + 1;
                    state_ = State::Cr;
                }
                break;
            }
            case State::Cr:
                state_ = c == '\n' ? State::LineStart : State::Text;
                if (c == '\n') ++at;  // any other byte is looked at again as text
                break;
            case State::Dot:
                if (c == '\r') {
                    begin = ++at;
                    state_ = State::DotCr;
                } else {
                    state_ = State::Text;
                }
                break;
            case State::DotCr:
                if (c == '\n') {
                    begin = ++at;
                    state_ = State::End;
                } else {  // ". CR x": a stuffed dot, then a CR that belongs to the text
                    sink("\r");
                    begin = at;
                    state_ = State::Text;
                }
                break;
            case State::End: break;
        }
    }
    if (state_ != State::End) flush(at);
    return at;
}

}  // namespace culver
