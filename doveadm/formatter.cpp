#include "doveadm/formatter.h"

#include <cstdio>

#include "lib-base/assert.h"
#include "lib-base/text.h"

namespace culver::doveadm {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void Formatter::columns(std::vector<Column> columns) {
    columns_ = std::move(columns);
    has_columns_ = true;
}

std::vector<Column> Formatter::own_columns() const {
    return {columns_.begin() + (started_ && has_sticky_ ? 1 : 0), columns_.end()};
}

void Formatter::add_sticky(Column column) {
    sticky_ = std::move(column);
    has_sticky_ = true;
}

void Formatter::start() {
    if (started_) return;
    started_ = true;
    if (has_sticky_) columns_.insert(columns_.begin(), sticky_);
    print_header();
}

void Formatter::row(std::vector<std::string> values) {
    start();
    if (has_sticky_) values.insert(values.begin(), sticky_value_);
    ASSERT(values.size() == columns_.size());
    print_row(values);
    ++rows_;
}

void Formatter::finish() {
    if (has_columns_ && !finished_) {
        start();
        print_end();
        finished_ = true;
    }
    std::fflush(stdout);
}

namespace {

// One line for each record: bare values of hidden titles, key=value for the others.
class FlowFormatter final : public Formatter {
    void print_row(const std::vector<std::string>& values) override {
        std::string line;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) line += ' ';
            if (columns_[i].shown == Column::Title::Shown) line += columns_[i].heading() + "=";
            line += values[i];
        }
        print(line + "\n");
    }
};

// One line for each value; records are separated by a form feed on a line of its own. A value of several lines starts
// on its own.
class PagerFormatter final : public Formatter {
    void print_row(const std::vector<std::string>& values) override {
        std::string text;
        if (row_number() > 0) text += "\f\n";
        for (std::size_t i = 0; i < values.size(); ++i) {
            const bool has_lines = values[i].find('\n') != std::string::npos;
            if (columns_[i].shown == Column::Title::Shown) text += columns_[i].heading() + (has_lines ? ":\n" : ": ");
            text += values[i];
            if (!has_lines || !values[i].ends_with('\n')) text += '\n';
        }
        print(text);
    }
};

class TabFormatter final : public Formatter {
    void print_header() override {
        std::vector<std::string> titles;
        for (const Column& column : columns_) titles.push_back(tab_escape(column.heading()));
        print(join(titles, "\t") + "\n");
    }
    void print_row(const std::vector<std::string>& values) override {
        std::vector<std::string> escaped;
        for (const std::string& value : values) escaped.push_back(tab_escape(value));
        print(join(escaped, "\t") + "\n");
    }
};

// An array of objects whose values are all strings; no newline at the end.
class JsonFormatter final : public Formatter {
    static std::string quote(std::string_view text) {
        static constexpr char kHex[] = "0123456789abcdef";
        // A name from disk may be no UTF-8 at all; JSON has to be.
        const bool is_utf8 = is_valid_utf8(text);
        std::string out = "\"";
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                out += '\\';
                out += c;
            } else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
                out += '\\';
                out += c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '\b' ? 'b' : 'f';
            } else if (byte < 0x20 || byte == 0x7f) {
                out += "\\u00";
                out += kHex[byte >> 4];
                out += kHex[byte & 15];
            } else if (byte >= 0x80 && !is_utf8) {
                out += "\xef\xbf\xbd";
            } else {
                out += c;
            }
        }
        return out + "\"";
    }
    void print_row(const std::vector<std::string>& values) override {
        std::string text = row_number() == 0 ? "[{" : ",{";
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) text += ',';
            text += quote(columns_[i].key) + ":" + quote(values[i]);
        }
        print(text + "}");
    }
    void print_end() override { print(row_number() == 0 ? "[]" : "]"); }
};

// Columns as wide as their widest value; so all rows are kept until the end.
class TableFormatter final : public Formatter {
    std::vector<std::vector<std::string>> rows_;

    // Width on a terminal: code points, not bytes.
    static std::size_t width_of(std::string_view text) {
        std::size_t width = 0;
        for (const char c : text) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
        return width;
    }
    void print_row(const std::vector<std::string>& values) override { rows_.push_back(values); }
    void print_end() override {
        std::vector<std::size_t> widths;
        std::vector<std::string> titles;
        bool has_titles = false;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            titles.push_back(columns_[i].heading());
            has_titles |= columns_[i].shown == Column::Title::Shown;
            std::size_t width = width_of(titles.back());
            for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
            widths.push_back(width);
        }
        std::string text;
        if (has_titles) append_line(text, titles, widths);
        for (const auto& row : rows_) append_line(text, row, widths);
        print(text);
    }
    void append_line(std::string& text, const std::vector<std::string>& values,
                     const std::vector<std::size_t>& widths) const {
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::string padding(widths[i] - width_of(values[i]), ' ');
            const bool is_right = columns_[i].align == Column::Align::Right;
            const bool is_last = i + 1 == values.size();
            if (i > 0) text += ' ';
            if (is_right) text += padding;
            text += values[i];
            if (!is_right && !is_last) text += padding;
        }
        text += '\n';
    }
};

}  // namespace

std::unique_ptr<Formatter> make_formatter(std::string_view name) {
    if (name == "flow") return std::make_unique<FlowFormatter>();
    if (name == "pager") return std::make_unique<PagerFormatter>();
    if (name == "tab") return std::make_unique<TabFormatter>();
    if (name == "json") return std::make_unique<JsonFormatter>();
    if (name == "table") return std::make_unique<TableFormatter>();
    return nullptr;
}

}  // namespace culver::doveadm
