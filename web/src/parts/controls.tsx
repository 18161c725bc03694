// The controls of every form: labelled, described, with their errors beside them.
import type { ReactNode } from "react";
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  NumberField,
  Popover,
  Select,
  SelectValue,
  Text,
  TextArea,
  TextField,
} from "react-aria-components";
import { Icon } from "./icons";

interface ButtonProps extends AriaButtonProps {
  tone?: "main" | "quiet" | "danger" | "plain";
  /** Something is on its way already: pressing it again does nothing. */
  isBusy?: boolean;
}

export function Button({ tone = "quiet", isBusy = false, ...rest }: ButtonProps) {
  return <AriaButton {...rest} className={`button button-${tone}${isBusy ? " button-busy" : ""}`} />;
}

export type Audience = "both" | "private" | undefined;

/** Whether the other side will read it: the difference must be seen while writing. */
export function Seen({ by, other }: { by: Audience; other: string }) {
  if (by === undefined) return null;
  return by === "private" ? (
    <span className="seen seen-private">
      <Icon name="lock" /> Private: never shown to {other}
    </span>
  ) : (
    <span className="seen">
      <Icon name="eye" /> {other} will read this
    </span>
  );
}

interface FieldProps {
  name: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
  error?: string | undefined;
  required?: boolean;
  seen?: ReactNode;
  hint?: string;
}

const ROWS = 3;
const LONGEST = 2500;

export function Words({ name, label, value, onChange, error, required = false, seen, hint }: FieldProps) {
  return (
    <TextField
      className="field"
      name={name}
      value={value}
      onChange={onChange}
      isRequired={required}
      isInvalid={error !== undefined}
      maxLength={LONGEST}
      validationBehavior="aria"
    >
      <Label>
        {label}
        {!required && <span className="optional"> optional</span>}
      </Label>
      {seen}
      <TextArea rows={ROWS} />
      {hint && <Text slot="description">{hint}</Text>}
      <FieldError>{error}</FieldError>
    </TextField>
  );
}

interface AmountProps {
  value: number;
  onChange: (value: number) => void;
  label: string;
  currency: string;
  digits: number;
  maximum?: number | undefined;
  error?: string | undefined;
  hint?: string;
  /** What stands in the field while it is being typed, before it becomes the value. */
  onTyped?: (text: string) => void;
}

export function Amount({ value, onChange, label, currency, digits, maximum, error, hint, onTyped }: AmountProps) {
  return (
    <NumberField
      className="field"
      value={value}
      onChange={onChange}
      minValue={0}
      {...(maximum === undefined ? {} : { maxValue: maximum })}
      step={10 ** -digits}
      formatOptions={{ style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits }}
      isRequired
      isInvalid={error !== undefined}
      validationBehavior="aria"
    >
      <Label>{label}</Label>
      <Input
        className="input number"
        onInput={(event) => {
          onTyped?.(event.currentTarget.value);
        }}
      />
      {hint && <Text slot="description">{hint}</Text>}
      <FieldError>{error}</FieldError>
    </NumberField>
  );
}

interface DaysProps {
  value: number;
  onChange: (value: number) => void;
  label: string;
  error?: string | undefined;
}

export function Days({ value, onChange, label, error }: DaysProps) {
  return (
    <NumberField
      className="field"
      value={value}
      onChange={onChange}
      minValue={1}
      maxValue={365}
      isRequired
      isInvalid={error !== undefined}
      validationBehavior="aria"
    >
      <Label>{label}</Label>
      <div className="stepper">
        <AriaButton slot="decrement" className="button button-quiet">
          −
        </AriaButton>
        <Input className="input number" />
        <AriaButton slot="increment" className="button button-quiet">
          +
        </AriaButton>
      </div>
      <FieldError>{error}</FieldError>
    </NumberField>
  );
}

export interface Choice<T extends string = string> {
  id: T;
  label: string;
  hint?: string;
}

interface ChoicesProps<T extends string> {
  label: string;
  choices: Choice<T>[];
  value: T | null;
  onChange: (value: T) => void;
  error?: string | undefined;
  seen?: ReactNode;
  placeholder?: string;
  hideLabel?: boolean;
}

export function Choices<T extends string>(props: ChoicesProps<T>) {
  const { label, choices, value, onChange, error, seen, placeholder = "Choose one", hideLabel = false } = props;
  return (
    <Select
      className="field"
      value={value}
      onChange={(key) => {
        if (key !== null) onChange(key as T);
      }}
      isInvalid={error !== undefined}
      placeholder={placeholder}
      validationBehavior="aria"
    >
      <Label className={hideLabel ? "hidden" : "label"}>{label}</Label>
      {seen}
      <AriaButton className="input select">
        <SelectValue />
        <Icon name="down" />
      </AriaButton>
      <FieldError>{error}</FieldError>
      <Popover className="popover">
        <ListBox className="list-box" items={choices}>
          {(choice) => (
            <ListBoxItem id={choice.id} textValue={choice.label} className="list-box-item">
              <Text slot="label">{choice.label}</Text>
              {choice.hint && <Text slot="description">{choice.hint}</Text>}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}
