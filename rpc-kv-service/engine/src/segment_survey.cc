#include "segment_survey.h"

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

// One survey, while it runs.
class Surveyor {
 public:
  Surveyor(File& file, std::uint64_t length, SegmentEnd end,
           const std::function<void(const SurveyedRecord&)>& take)
      : file_(file), length_(length), end_(end), take_(take) {}

  Result<SegmentSurvey> Run(std::uint64_t fid);

 private:
  struct Waiting {
    RecordHead head;
    std::uint64_t offset;
    std::string key;
  };

  Status ReadHeader(std::uint64_t fid);
  Status FindEnd(std::uint64_t behind);
  void TakeRecord(const SegmentScanner& scanner);
  void TakeTxnFinished(const SegmentScanner& scanner);
  void GiveUpBatch();
  void Give(const RecordHead& head, std::uint64_t offset, std::string_view key);
  void Bad(std::uint64_t offset, std::uint64_t size, std::string what);

  File& file_;
  const std::uint64_t length_;
  const SegmentEnd end_;
  const std::function<void(const SurveyedRecord&)>& take_;
  SegmentSurvey survey_;
  Crc32c crc_;
  std::vector<Waiting> batch_;
};

Result<SegmentSurvey> Surveyor::Run(std::uint64_t fid) {
  if (Status status = ReadHeader(fid); !status.ok()) return status;
  SegmentScanner scanner(file_, survey_.fid, length_, end_);
  while (true) {
    const auto step = scanner.Next();
    if (!step.ok()) return step.status();
    if (*step == SegmentScanner::Step::kRecord) {
      TakeRecord(scanner);
      continue;
    }
    if (*step == SegmentScanner::Step::kEnd) {
      survey_.end = end_ == SegmentEnd::kOpen ? scanner.offset() : length_;
      break;
    }
    const std::uint64_t bad = scanner.offset();
    // In a log the next record cannot be older; merged segments are in the order of keys.
    const bool log = survey_.header_error.empty() && survey_.header.kind == SegmentKind::kLog &&
                     survey_.max_seq != 0;
    const auto next =
        log ? scanner.FindRecordBehind(bad, survey_.max_seq) : scanner.FindAnyRecordBehind(bad);
    if (!next.ok()) return next.status();
    if (!*next) {
      if (Status status = FindEnd(bad); !status.ok()) return status;
      Bad(bad, survey_.end - bad, "the record is damaged");
      break;
    }
    Bad(bad, **next - bad, "the record is damaged");
    TakeRecord(scanner);
  }
  GiveUpBatch();
  std::sort(survey_.bad.begin(), survey_.bad.end(),
            [](const BadPlace& a, const BadPlace& b) { return a.offset < b.offset; });
  return std::move(survey_);
}

Status Surveyor::ReadHeader(std::uint64_t fid) {
  std::string bytes(std::min<std::uint64_t>(kSegmentHeaderSize, length_), '\0');
  const auto read = file_.Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  auto [header, error] = DecodeSegmentHeader(bytes);
  survey_.header = header;
  survey_.header_error = std::move(error);
  survey_.fid = survey_.header_error.empty() ? header.fid : fid;
  if (survey_.header_error.empty()) {
    crc_.Extend(bytes);
    survey_.good_length = kSegmentHeaderSize;
    survey_.good_crc = crc_.Value();
  } else {
    Bad(0, std::min<std::uint64_t>(kSegmentHeaderSize, length_), survey_.header_error);
  }
  return {};
}

Status Surveyor::FindEnd(std::uint64_t behind) {
  survey_.end = length_;
  if (end_ == SegmentEnd::kSealed) return {};
  const auto contents = EndOfContents(file_, behind, length_);
  if (!contents.ok()) return contents.status();
  survey_.end = *contents;
  return {};
}

void Surveyor::Bad(std::uint64_t offset, std::uint64_t size, std::string what) {
  survey_.bad.push_back({offset, size, std::move(what)});
}

void Surveyor::TakeRecord(const SegmentScanner& scanner) {
  const RecordHead& head = scanner.head();
  crc_.Extend(head.crc);
  const bool finishes = head.type() == RecordType::kTxnFinished;
  if (!batch_.empty() && ((!head.in_batch() && !finishes) || head.seq != batch_.front().head.seq)) {
    GiveUpBatch();
  }
  if (finishes) {
    TakeTxnFinished(scanner);
  } else if (head.type() == RecordType::kDurableMark) {
    std::string_view value = scanner.value();
    std::uint64_t durable = 0;
    if (TakeVarint(value, kMaxVarint64, durable) && durable <= scanner.offset()) {
      survey_.durable = std::max(survey_.durable, durable);
    } else {
      Bad(scanner.offset(), head.size(), "a durable mark vouches for bytes that it precedes");
    }
  } else if (head.in_batch()) {
    batch_.push_back({head, scanner.offset(), std::string(scanner.key())});
  } else {
    Give(head, scanner.offset(), scanner.key());
  }
  if (survey_.bad.empty() && batch_.empty()) {
    survey_.good_length = scanner.end();
    survey_.good_crc = crc_.Value();
  }
}

void Surveyor::TakeTxnFinished(const SegmentScanner& scanner) {
  std::string_view value = scanner.value();
  std::uint64_t count = 0;
  if (batch_.empty() || !TakeVarint(value, kMaxVarint64, count) || count != batch_.size()) {
    GiveUpBatch();
    Bad(scanner.offset(), scanner.head().size(), "the end of a batch without its beginning");
    return;
  }
  for (const Waiting& record : batch_) Give(record.head, record.offset, record.key);
  batch_.clear();
}

void Surveyor::GiveUpBatch() {
  for (const Waiting& record : batch_) {
    Bad(record.offset, record.head.size(), "a part of a batch that is not whole");
  }
  batch_.clear();
}

void Surveyor::Give(const RecordHead& head, std::uint64_t offset, std::string_view key) {
  ++survey_.records;
  survey_.min_seq = std::min(survey_.min_seq, head.seq);
  survey_.max_seq = std::max(survey_.max_seq, head.seq);
  take_({head, offset, key});
}

}  // namespace

Result<SegmentSurvey> SurveySegment(File& file, std::uint64_t fid, std::uint64_t length,
                                    SegmentEnd end,
                                    const std::function<void(const SurveyedRecord&)>& take) {
  return Surveyor(file, length, end, take).Run(fid);
}

}  // namespace weir::kv
