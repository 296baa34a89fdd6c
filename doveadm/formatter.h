// Formatters: how doveadm prints rows (-f flow, pager, tab, json, table).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace culver::doveadm {

struct Column {
    std::string key;    // for programs: json, flow, pager, tab headers
    std::string title;  // for people: the header of a table; empty = the key
    enum class Align { Left, Right } align = Align::Left;
    enum class Title { Shown, Hidden } shown = Title::Shown;  // Hidden: flow and pager print the bare value
    const std::string& heading() const { return title.empty() ? key : title; }
};

// Writes to standard output. Call columns() once, then row() for each record, then finish(); a second finish() does
// nothing.
class Formatter {
public:
    virtual ~Formatter() = default;
    void columns(std::vector<Column> columns);
    // As given to columns(): without the sticky one.
    std::vector<Column> own_columns() const;
    // As many values as columns.
    void row(std::vector<std::string> values);
    // Puts a column in front of all others; `set_sticky` gives its value for the rows that follow (the user of -A).
    void add_sticky(Column column);
    void set_sticky(std::string value) { sticky_value_ = std::move(value); }
    void finish();

protected:
    virtual void print_header() {}
    virtual void print_row(const std::vector<std::string>& values) = 0;
    virtual void print_end() {}
    std::vector<Column> columns_;
    // The number of rows printed before the one at hand.
    std::size_t row_number() const { return rows_; }

private:
    void start();
    bool has_sticky_ = false, started_ = false, has_columns_ = false, finished_ = false;
    Column sticky_;
    std::string sticky_value_;
    std::size_t rows_ = 0;
};

// Null for a name that is none of flow, pager, tab, json, table.
std::unique_ptr<Formatter> make_formatter(std::string_view name);
// All bytes to standard output.
void print(std::string_view text);

}  // namespace culver::doveadm
