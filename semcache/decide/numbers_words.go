package decide

// numberWords have a value by themselves. "one" is left out: it is more often a
// pronoun. "second" is, too: it is a unit of time.
var numberWords = map[string]float64{
	"zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
	"thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
	"dozen": 12, "twice": 2, "thrice": 3, "half": 0.5, "quarter": 0.25,
	"third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12,
}

// scales multiply the number before them.
var scales = map[string]float64{
	"hundred": 1e2, "thousand": 1e3, "k": 1e3, "lakh": 1e5, "lac": 1e5, "lakhs": 1e5, "million": 1e6, "millions": 1e6, "mn": 1e6, "mio": 1e6,
	"crore": 1e7, "crores": 1e7, "billion": 1e9, "billions": 1e9, "bn": 1e9, "trillion": 1e12, "dozen": 12,
}

// dimension is what a unit measures. Stored forms do not hold it.
type dimension uint8

const (
	dimNone dimension = iota
	dimLength
	dimMass
	dimVolume
	dimTime
	dimData
	dimTemperature
	dimPercent
	dimSpeed
	dimEnergy
	dimPower
	dimPressure
	dimFrequency
	dimArea
	dimUSD
	dimEUR
	dimGBP
	dimINR
	dimJPY
	dimCNY
	dimOtherMoney
)

// unit is a dimension, and how many base units (metre, gram, litre, second, byte,
// kelvin, hundredth, metre per second, joule, watt, pascal, hertz, square metre,
// one of the currency) one of it is. Kelvins have an offset, too.
type unit struct {
	dim    dimension
	factor float64
	offset float64
}

var units = func() map[string]unit {
	m := make(map[string]unit, 320)
	put := func(dim dimension, factor float64, names ...string) {
		for _, n := range names {
			m[n] = unit{dim: dim, factor: factor}
		}
	}
	put(dimLength, 1, "m", "meter", "meters", "metre", "metres", "mtr")
	put(dimLength, 1e3, "km", "kms", "kilometer", "kilometers", "kilometre", "kilometres")
	put(dimLength, 1e-2, "cm", "cms", "centimeter", "centimeters", "centimetre", "centimetres")
	put(dimLength, 1e-3, "mm", "millimeter", "millimeters", "millimetre", "millimetres")
	put(dimLength, 1e-6, "micrometer", "micrometers", "micron", "microns", "um", "µm", "μm")
	put(dimLength, 1e-9, "nm", "nanometer", "nanometers")
	put(dimLength, 1609.344, "mile", "miles", "mi")
	put(dimLength, 0.9144, "yard", "yards", "yd", "yds")
	put(dimLength, 0.3048, "foot", "feet", "ft")
	put(dimLength, 0.0254, "inch", "inches")
	put(dimLength, 9.4607e15, "lightyear", "lightyears")
	put(dimMass, 1, "g", "gram", "grams", "gm", "gms", "gramme", "grammes")
	put(dimMass, 1e3, "kg", "kgs", "kilo", "kilos", "kilogram", "kilograms")
	put(dimMass, 1e-3, "mg", "mgs", "milligram", "milligrams")
	put(dimMass, 1e-6, "mcg", "ug", "µg", "μg", "microgram", "micrograms")
	put(dimMass, 1e6, "tonne", "tonnes")
	put(dimMass, 907184.74, "ton", "tons")
	put(dimMass, 453.59237, "lb", "lbs", "pound", "pounds")
	put(dimMass, 28.349523125, "oz", "ounce", "ounces")
	put(dimMass, 6350.29318, "stone")
	put(dimVolume, 1, "l", "liter", "liters", "litre", "litres", "ltr")
	put(dimVolume, 1e-3, "ml", "milliliter", "milliliters", "millilitre", "millilitres", "cc")
	put(dimVolume, 1e-1, "dl", "deciliter", "decilitre")
	put(dimVolume, 1e-2, "cl", "centiliter", "centilitre")
	put(dimVolume, 3.785411784, "gallon", "gallons", "gal")
	put(dimVolume, 0.473176473, "pint", "pints")
	put(dimVolume, 0.946352946, "quart", "quarts")
	put(dimVolume, 0.2365882365, "cup", "cups")
	put(dimVolume, 0.01478676478125, "tablespoon", "tablespoons", "tbsp")
	put(dimVolume, 0.00492892159375, "teaspoon", "teaspoons", "tsp")
	put(dimTime, 1e-9, "ns", "nanosecond", "nanoseconds")
	put(dimTime, 1e-6, "microsecond", "microseconds")
	put(dimTime, 1e-3, "ms", "msec", "millisecond", "milliseconds")
	put(dimTime, 1, "s", "sec", "secs", "second", "seconds")
	put(dimTime, 60, "min", "mins", "minute", "minutes")
	put(dimTime, 3600, "h", "hr", "hrs", "hour", "hours")
	put(dimTime, 86400, "day", "days")
	put(dimTime, 7*86400, "week", "weeks", "wk", "wks")
	put(dimTime, 30.4375*86400, "month", "months")
	put(dimTime, 365.25*86400, "year", "years", "yr", "yrs", "yo")
	put(dimTime, 3652.5*86400, "decade", "decades")
	put(dimTime, 36525*86400, "century", "centuries")
	put(dimData, 0.125, "bit", "bits")
	put(dimData, 1, "byte", "bytes")
	put(dimData, 1e3, "kb", "kilobyte", "kilobytes")
	put(dimData, 1e6, "mb", "megabyte", "megabytes")
	put(dimData, 1e9, "gb", "gigabyte", "gigabytes", "gig", "gigs")
	put(dimData, 1e12, "tb", "terabyte", "terabytes")
	put(dimData, 1024, "kib")
	put(dimData, 1024*1024, "mib")
	put(dimData, 1024*1024*1024, "gib")
	put(dimPercent, 1, "%", "percent", "pct", "percentage")
	put(dimSpeed, 1/3.6, "kmh", "km/h", "kph", "kmph")
	put(dimSpeed, 0.44704, "mph")
	put(dimSpeed, 0.514444, "knot", "knots")
	put(dimSpeed, 1, "m/s", "mps")
	put(dimEnergy, 1, "j", "joule", "joules")
	put(dimEnergy, 1e3, "kj", "kilojoule", "kilojoules")
	put(dimEnergy, 4184, "kcal", "calorie", "calories", "cal")
	put(dimEnergy, 3.6e6, "kwh")
	put(dimPower, 1, "w", "watt", "watts")
	put(dimPower, 1e3, "kw", "kilowatt", "kilowatts")
	put(dimPower, 1e6, "mw", "megawatt", "megawatts")
	put(dimPower, 745.69987, "hp", "horsepower", "bhp")
	put(dimPressure, 1, "pa", "pascal", "pascals")
	put(dimPressure, 1e5, "bar", "bars")
	put(dimPressure, 6894.757, "psi")
	put(dimPressure, 101325, "atm")
	put(dimFrequency, 1, "hz", "hertz")
	put(dimFrequency, 1e3, "khz", "kilohertz")
	put(dimFrequency, 1e6, "mhz", "megahertz")
	put(dimFrequency, 1e9, "ghz", "gigahertz")
	put(dimArea, 1, "sqm", "m2")
	put(dimArea, 0.09290304, "sqft", "ft2")
	put(dimArea, 4046.8564224, "acre", "acres")
	put(dimArea, 1e4, "hectare", "hectares", "ha")
	put(dimUSD, 1, "$", "usd", "dollar", "dollars", "buck", "bucks")
	put(dimUSD, 0.01, "cent", "cents")
	put(dimEUR, 1, "€", "eur", "euro", "euros")
	put(dimGBP, 1, "£", "gbp", "quid")
	put(dimINR, 1, "₹", "rs", "inr", "rupee", "rupees")
	put(dimJPY, 1, "¥", "jpy", "yen")
	put(dimCNY, 1, "cny", "rmb", "yuan")
	put(dimOtherMoney, 1, "chf", "aud", "cad", "sek", "nok", "dkk", "pln", "brl", "btc", "eth", "krw", "won")
	m["c"] = unit{dimTemperature, 1, 273.15}
	m["f"] = unit{dimTemperature, 5. / 9, 255.3722222222222}
	for from, names := range map[string][]string{"c": {"celsius", "centigrade", "°c", "degc"}, "f": {"fahrenheit", "°f", "degf"}} {
		for _, n := range names {
			m[n] = m[from]
		}
	}
	put(dimTemperature, 1, "kelvin", "°")
	return m
}()
