#!/usr/bin/env python3
"""Do contracts/*.schema.json and the programs agree?

Each record of tests/data/records has the verdict that lib/event gives it (tests/unit/test_contract_records.c holds
the decoder to it); here a JSON-Schema validator is asked about the same records, twice: as anyone's validator would
see them, and with x-max-bytes understood. Then everything that our encoders write (print_records) has to be valid.

usage: check_schemas.py SOURCE_DIR PRINT_RECORDS
"""
import base64
import json
import pathlib
import subprocess
import sys

import jsonschema

# Not a schema's business: the bus knows the time, and a parser has dropped the second of two equal keys.
BEYOND_SCHEMAS = {"duplicate_key", "too_large"}


def check_max_bytes(_validator, limit, instance, _schema):
    if isinstance(instance, str) and len(instance.encode()) > limit:
        yield jsonschema.ValidationError(f"longer than {limit} bytes")


def load_schema(source, topic):
    schema = json.loads((source / "contracts" / f"{topic}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    plain = jsonschema.Draft202012Validator(schema)
    knows_bytes = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"x-max-bytes": check_max_bytes})
    return plain, knows_bytes(schema)


def refuse_constant(text):
    raise ValueError(f"{text} is no JSON")


def parse(record):
    """The record's value; ValueError: not JSON by RFC 8259 in well-formed UTF-8."""
    value = json.loads(record.decode("utf-8"), parse_constant=refuse_constant)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair has no UTF-8
    return value


def blamed_fields(errors):
    fields = set()
    for error in errors:
        if error.path:
            fields.add(error.path[0])
        elif error.validator == "required":
            fields |= {name for name in error.validator_value if name not in error.instance}
    return fields


def check_record(case, plain, knows_bytes):
    """None, or what is wrong."""
    record = case["record"].encode() if "record" in case else base64.b64decode(case["record_base64"])
    reason = case["reason"]
    if reason in BEYOND_SCHEMAS:
        return None
    try:
        value = parse(record)
    except (ValueError, RecursionError) as error:
        return None if reason == "invalid_json" else f"Python can't read it: {error}"
    errors = list(knows_bytes.iter_errors(value))
    if reason == "ok":
        return f"the schema refuses it: {errors[0].message}" if errors else None
    if not errors:
        return None if "1025 deep" in case["case"] else f"the schema takes it, the decoder says {reason}"
    field = case.get("field")
    if field and field not in blamed_fields(errors):
        return f"the schema blames {blamed_fields(errors)}, the decoder {field}"
    seen_by_all = "schema_needs" not in case
    if plain.is_valid(value) == seen_by_all:
        return "a plain validator should " + ("refuse it" if seen_by_all else "take it (drop schema_needs)")
    return None


def check_records(source, topic):
    plain, knows_bytes = load_schema(source, topic)
    path = source / "tests" / "data" / "records" / f"{topic}.jsonl"
    failures = 0
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        case = json.loads(line)
        wrong = check_record(case, plain, knows_bytes)
        if wrong:
            print(f"{path}:{number}: {case['case']}: {wrong}")
            failures += 1
    print(f"{topic}: {len(lines)} records, {failures} disagreements")
    return failures


def check_encoders(source, print_records):
    output = subprocess.run([print_records], check=True, capture_output=True, text=True).stdout
    failures = 0
    lines = output.splitlines()
    for line in lines:
        topic, record = line.split("\t")
        errors = list(load_schema(source, topic)[1].iter_errors(json.loads(record)))
        for error in errors:
            print(f"{topic}: {error.message}: {record}")
        failures += len(errors)
    print(f"encoders: {len(lines)} records, {failures} faults")
    return failures + (not lines)


def main():
    sys.setrecursionlimit(20000)  # a record may nest 1024 deep
    source = pathlib.Path(sys.argv[1])
    failures = check_records(source, "metrics.raw") + check_records(source, "logs.raw")
    failures += check_encoders(source, sys.argv[2])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
