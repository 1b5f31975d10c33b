/**
 * Tells what the channels know and think, for comparison with other implementations.
 *
 * The input is a JSON array of `{channel, event, data}`. The output is a JSON object: `fields` has the fields
 * of each record, and `checked` for each of the input the record that was kept of it, or the field at fault.
 */

import { checkedRecord } from "../../src/channels/record.js";
import { KINDS } from "../../src/channels/table.js";

/** Of each field, whether it is required, and the fields of the record that it or each item of it is. */
function fieldsOf(shape) {
  return Object.fromEntries(
    Object.entries(shape.fields).map(([name, field]) => {
      const isRequired = typeof field === "function";
      const kind = isRequired ? field : field.kind;
      const inner = kind.item ?? kind;
      return [name, { required: isRequired, ...(inner.fields && { fields: fieldsOf(inner) }) }];
    }),
  );
}

function knownRecords() {
  const events = [...KINDS.values()].flatMap(({ name, events }) =>
    [...events].map(([event, { shape, defaults }]) => {
      const fields = fieldsOf(shape);
      // What has a default may be missing, though the shape of what is complete requires it.
      for (const filled of ["timestamp", ...Object.keys(defaults)]) {
        fields[filled].required = false;
      }
      return [`${name} ${event}`, fields];
    }),
  );
  return Object.fromEntries(events);
}

function check({ channel, event, data }) {
  try {
    return { record: checkedRecord(KINDS.get(channel).events.get(event), data, 0) };
  } catch (error) {
    return { code: error.code, field: error.field };
  }
}

let input = "";
for await (const piece of process.stdin.setEncoding("utf8")) {
  input += piece;
}
process.stdout.write(JSON.stringify({ fields: knownRecords(), checked: JSON.parse(input).map(check) }));
